// SPDX-License-Identifier: GPL-3.0-or-later
// The simulator's command line: `make sim`.
//
//     sim [--from N] [--count N] [--seeds FILE] [--go-on] [--result FILE]
//     sim --from N --log
//
// Runs the seeds of the file and `count` seeds from `from` on, each twice: a run must not fail, and
// its second must leave the same trace. Stops at the first that fails, unless it is to go on;
// leaves "passed failed" in the result file. With --log one run is made, and told line by line.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "tests/sim/world.h"

namespace knuckle::sim {

namespace {

// Of the run that is on, for whoever asks why it ended.
uint64_t current_seed = 0;
const World* current_world = nullptr;

void tell(const World& world, uint64_t seed) {
    std::fflush(stdout);
    world.trace().show_last(stderr);
    std::fprintf(
        stderr, "seed %lu, commit %s\n  %s\n", seed, KNUCKLE_COMMIT, world.describe().c_str());
}

// An assertion of the gateway, or a sanitizer. Not much is safe here, but the process is lost.
void on_abort(int) {
    if (current_world != nullptr) tell(*current_world, current_seed);
    std::fprintf(stderr,
                 "FAIL seed %lu: the gateway aborted; again: make sim SEED=%lu\n",
                 current_seed,
                 current_seed);
    std::_Exit(1);
}

// The hash of its trace, if it went well.
std::optional<uint64_t> run(uint64_t seed, bool is_printed, size_t& pushes) {
    World world(seed, is_printed);
    current_seed = seed;
    current_world = &world;
    const bool is_well = world.run();
    pushes += world.pushes();
    if (!is_well) {
        tell(world, seed);
        std::fprintf(stderr,
                     "FAIL seed %lu: %s; again: make sim SEED=%lu\n",
                     seed,
                     world.failure().c_str(),
                     seed);
    }
    current_world = nullptr;
    return is_well ? std::optional(world.trace().hash()) : std::nullopt;
}

bool run_twice(uint64_t seed, size_t& pushes) {
    const std::optional<uint64_t> first = run(seed, false, pushes);
    if (!first) return false;
    const std::optional<uint64_t> second = run(seed, false, pushes);
    if (second == first) return true;
    std::fprintf(stderr, "FAIL seed %lu: its second run was another one\n", seed);
    return false;
}

std::vector<uint64_t> read_seeds(const std::string& path) {
    std::vector<uint64_t> seeds;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::string digits = line.substr(0, line.find(' '));
        if (const auto seed = parse_decimal(digits)) seeds.push_back(*seed);
    }
    return seeds;
}

struct Arguments {
    uint64_t from = 1;
    uint64_t count = 0;
    std::string seeds;   // a file of them
    std::string result;  // a file to be written
    bool is_logged = false;
    bool goes_on = false;
};

int simulate(const Arguments& arguments) {
    std::signal(SIGABRT, on_abort);
    size_t pushes = 0;
    if (arguments.is_logged) return run(arguments.from, true, pushes) ? 0 : 1;
    std::vector<uint64_t> seeds = read_seeds(arguments.seeds);
    for (uint64_t i = 0; i < arguments.count; ++i) seeds.push_back(arguments.from + i);
    const auto begun = std::chrono::steady_clock::now();
    size_t passed = 0;
    size_t failed = 0;
    for (const uint64_t seed : seeds) {
        ++(run_twice(seed, pushes) ? passed : failed);
        if (failed > 0 && !arguments.goes_on) break;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    std::printf("  %s sim: %zu seeds passed, %zu failed; each twice, %zu pushes, %.0f seeds/s\n",
                failed == 0 ? "PASS" : "FAIL",
                passed,
                failed,
                pushes,
                static_cast<double>(passed + failed) / std::max(took.count(), 1e-3));
    if (!arguments.result.empty())
        std::ofstream(arguments.result) << passed << " " << failed << "\n";
    return failed == 0 ? 0 : 1;
}

}  // namespace

}  // namespace knuckle::sim

// So that a sanitizer's complaint comes by on_abort().
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }

int main(int count, char** texts) {
    knuckle::sim::Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::string_view option = texts[i];
        const std::string value = i + 1 < count ? texts[i + 1] : "";
        if (option == "--log") {
            arguments.is_logged = true;
            continue;
        }
        if (option == "--go-on") {
            arguments.goes_on = true;
            continue;
        }
        if (option == "--from") arguments.from = knuckle::parse_decimal(value).value_or(1);
        if (option == "--count") arguments.count = knuckle::parse_decimal(value).value_or(1);
        if (option == "--seeds") arguments.seeds = value;
        if (option == "--result") arguments.result = value;
        ++i;
    }
    return knuckle::sim::simulate(arguments);
}
