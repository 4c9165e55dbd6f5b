// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/mint_times.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include "app/files.h"
#include "base/text.h"
#include "store/file.h"

namespace knuckle::app {

namespace {

constexpr uint64_t kSecondsMax = 1'000'000'000'000;  // far beyond any clock, far from overflow

}  // namespace

void MintTimes::load() {
    const Result<std::string> text = read_file(path_);
    if (!text) return;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const size_t blank = line.find(' ');
        if (blank == 0 || blank == std::string_view::npos) continue;
        const std::optional<uint64_t> issued = parse_decimal(line.substr(blank + 1));
        if (issued && *issued <= kSecondsMax)
            note(line.substr(0, blank), from_unix_seconds(static_cast<int64_t>(*issued)));
    }
}

std::optional<UnixTime> MintTimes::find(std::string_view name) const {
    const auto found =
        std::ranges::find_if(entries_, [&](const Entry& each) { return each.name == name; });
    if (found == entries_.end()) return std::nullopt;
    return found->issued;
}

void MintTimes::note(std::string_view name, UnixTime issued) {
    std::erase_if(entries_, [&](const Entry& each) { return each.name == name; });
    if (entries_.size() == kMintTimesMax) entries_.erase(entries_.begin());
    entries_.push_back({std::string(name), issued});
}

Result<void> MintTimes::save() const {
    std::string text;
    for (const Entry& each : entries_)
        text += each.name + " " + std::to_string(to_unix_seconds(each.issued)) + "\n";
    const std::string draft = path_ + ".new";
    {
        const store::File file(
            ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file.is_open()) return fail(Errc::system, "cannot be written", errno);
        const ssize_t size = ::write(file.descriptor(), text.data(), text.size());
        if (size < 0) return fail(Errc::system, "cannot be written", errno);
        if (static_cast<size_t>(size) != text.size())
            return fail(Errc::system, "cannot be written", ENOSPC);
        if (::fsync(file.descriptor()) != 0) return fail(Errc::system, "cannot be written", errno);
    }
    if (::rename(draft.c_str(), path_.c_str()) != 0)
        return fail(Errc::system, "cannot be written", errno);
    return store::sync_directory_of(path_);
}

}  // namespace knuckle::app
