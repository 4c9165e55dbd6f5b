// SPDX-License-Identifier: GPL-3.0-or-later
// What each stage of the path of a knock costs, and what the whole of it does: nanoseconds and
// allocations of one knock, one after the other. Instructions are counted by running it under
// callgrind, twice with different --knocks (run.py does).
//
//     [LD_PRELOAD=build/release/bench/allocations.so]
//     micro [--store FOLDER] [--tokens N] [--knocks N] [--rounds N] [--warm N] [--tls] [--json]
//
// Each figure is the median of the rounds' means, with the least and the most. "rest" is what the
// whole has more than its stages: limits, queues, pools, timers, counters.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/arguments.h"
#include "bench/filled_store.h"
#include "bench/knock_stages.h"
#include "bench/meter.h"
#include "bench/whole_knock.h"
#include "store/key_file.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace knuckle;
using namespace knuckle::bench;

struct Stage {
    const char* name;
    void (Stages::*run)();
    enum class Kind { always, tls, between, inside } kind = Kind::always;
};

// `inside`: done once more by a later stage, so not a part of the sum. `between`: the world's.
constexpr Stage kStages[] = {{"front_open", &Stages::front_open, Stage::Kind::tls},
                             {"parse", &Stages::parse},
                             {"route", &Stages::route, Stage::Kind::inside},
                             {"decode", &Stages::decode},
                             {"look_up", &Stages::look_up},
                             {"encode", &Stages::encode},
                             {"submit", &Stages::submit},
                             {"seal", &Stages::seal},
                             {"provide", &Stages::provide, Stage::Kind::between},
                             {"open", &Stages::open},
                             {"hear", &Stages::hear},
                             {"respond", &Stages::respond},
                             {"front_seal", &Stages::front_seal, Stage::Kind::tls}};

// The rounds of one line of the table.
class Line {
public:
    explicit Line(std::string name) : name_(std::move(name)) {}

    void end_round() {
        const auto calls = static_cast<double>(std::max<uint64_t>(1, tally.calls));
        ns_.push_back(static_cast<double>(tally.ns) / calls);
        allocations_.push_back(static_cast<double>(tally.allocations) / calls);
        tally = {};
    }
    [[nodiscard]] double ns() const { return median(ns_); }
    [[nodiscard]] double allocations() const { return median(allocations_); }
    void print(bool is_json, bool counts_allocations) const {
        const auto [least, most] = std::ranges::minmax(ns_);
        if (is_json) {
            std::printf("{\"name\":\"%s\",\"ns\":%.1f,\"least\":%.1f,\"most\":%.1f",
                        name_.c_str(),
                        ns(),
                        least,
                        most);
            if (counts_allocations) std::printf(",\"allocations\":%.3f", allocations());
            std::printf("}\n");
            return;
        }
        std::printf("%-12s %8.0f  [%.0f-%.0f]", name_.c_str(), ns(), least, most);
        if (counts_allocations) std::printf("  %6.2f", allocations());
        std::printf("\n");
    }

    Tally tally;

private:
    static double median(std::vector<double> values) {
        const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
        std::ranges::nth_element(values, middle);
        return *middle;
    }

    std::string name_;
    std::vector<double> ns_;
    std::vector<double> allocations_;
};

class Micro {
public:
    Micro(const Arguments& arguments, const store::Env& env, uint64_t tokens)
        : has_tls_(arguments.has("--tls")),
          is_json_(arguments.has("--json")),
          tokens_(tokens),
          stages_(ends_, env),
          whole_(ends_, env, has_tls_) {
        for (const Stage& stage : kStages) {
            if (stage.kind != Stage::Kind::tls || has_tls_) lines_.emplace_back(stage.name);
        }
    }

    void run(uint64_t warm, uint64_t knocks, uint64_t rounds) {
        for (uint64_t i = 0; i < warm; ++i) knock();
        for (Line& line : lines_) line.tally = {};
        whole_line_.tally = {};
        for (uint64_t round = 0; round < rounds; ++round) {
            for (uint64_t i = 0; i < knocks; ++i) knock();
            for (Line& line : lines_) line.end_round();
            whole_line_.end_round();
        }
    }

    void print() const {
        const bool counts = meter_.counts_allocations();
        if (!is_json_)
            std::printf(
                "%-12s %8s  %s%s\n", "", "ns", "[least-most]", counts ? "  allocations" : "");
        double sum = 0;
        double allocations = 0;
        size_t at = 0;
        for (const Stage& stage : kStages) {
            if (stage.kind == Stage::Kind::tls && !has_tls_) continue;
            const Line& line = lines_[at++];
            if (stage.kind == Stage::Kind::between) continue;
            line.print(is_json_, counts);
            if (stage.kind == Stage::Kind::inside) continue;
            sum += line.ns();
            allocations += line.allocations();
        }
        whole_line_.print(is_json_, counts);
        if (is_json_) return;
        std::printf(
            "%-12s %8.0f  %.0f %% of the whole\n", "sum", sum, 100 * sum / whole_line_.ns());
        std::printf("%-12s %8.0f\n", "rest", whole_line_.ns() - sum);
    }

private:
    void knock() {
        const std::string token = token_text(random_.below(tokens_));
        stages_.set_knock(token);
        size_t at = 0;
        for (const Stage& stage : kStages) {
            if (stage.kind == Stage::Kind::tls && !has_tls_) continue;
            meter_.measure(lines_[at++].tally, [&] { (stages_.*stage.run)(); });
        }
        whole_.say(token);
        meter_.measure(whole_line_.tally, [&] { whole_.ask(); });
        whole_.provide();
        meter_.measure(whole_line_.tally, [&] { whole_.reply(); });
        --whole_line_.tally.calls;
        whole_.listen();
    }

    Ends ends_;
    bool has_tls_;
    bool is_json_;
    uint64_t tokens_;
    Meter meter_;
    Random random_{1};
    Stages stages_;
    WholeKnock whole_;
    std::vector<Line> lines_;
    Line whole_line_{"whole"};
};

store::Env open_store(const std::string& folder) {
    const auto keys = store::load_or_create_keys(folder + "/store.key", false);
    if (!keys) throw std::runtime_error(keys.error().what);
    auto env = store::Env::open({.directory = folder, .keys = *keys, .now = Filling().now});
    if (!env) throw std::runtime_error(env.error().what);
    env->warm_up();
    return std::move(*env);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Arguments arguments(argc, argv);
        const uint64_t tokens = arguments.count("--tokens", 10'000);
        const std::string folder = arguments.text("--store");
        std::optional<test::TempDir> own;
        if (folder.empty()) own.emplace();
        const store::Env env =
            own ? fill_store(*own / "data", {.tokens = tokens}) : open_store(folder);
        Micro micro(arguments, env, tokens);
        micro.run(arguments.count("--warm", 2'000),
                  arguments.count("--knocks", 5'000),
                  arguments.count("--rounds", 11));
        micro.print();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "micro: %s\n", error.what());
        return 1;
    }
    return 0;
}
