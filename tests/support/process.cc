// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <grp.h>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "tests/support/temp_dir.h"

namespace knuckle::test {

namespace {

constexpr uid_t kNobody = 65'534;  // on every Linux

}  // namespace

Process::Process(const std::vector<std::string>& words, std::string output, As as)
    : output_(std::move(output)) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int out = ::open(output_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0) throw std::runtime_error("cannot write " + output_);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::dup2(out, STDOUT_FILENO);
        ::dup2(out, STDERR_FILENO);
        if (as == As::nobody &&
            (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) {
            ::_exit(126);
        }
        // A test that is killed takes its programs with it (and changing the user would undo this).
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::execv(arguments.front(), arguments.data());
        ::_exit(127);
    }
    ::close(out);
    if (pid_ < 0) throw std::runtime_error("cannot fork");
}

Process::~Process() {
    if (!is_running()) return;
    signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const {
    if (!status_) ::kill(pid_, number);
}

std::optional<int> Process::wait(Duration limit) {
    eventually([this] { return !is_running(); }, limit);
    return status_;
}

bool Process::is_running() {
    if (status_) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return !status_;
}

std::string Process::output() const { return read_whole_file(output_); }

int64_t anonymous_kib(pid_t pid) {
    const std::string text = read_whole_file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    constexpr std::string_view kName = "Pss_Anon:";
    const size_t at = text.find(kName);
    if (at == std::string::npos) throw std::runtime_error("no such process");
    return std::strtoll(text.c_str() + at + kName.size(), nullptr, 10);
}

int64_t open_descriptors(pid_t pid) {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
    return std::distance(begin(all), end(all));
}

void pause_for(Duration time) {
    timespec rest{time.ns / 1'000'000'000, time.ns % 1'000'000'000};
    while (::nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
}

Instant monotonic_now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return {int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
}

}  // namespace knuckle::test
