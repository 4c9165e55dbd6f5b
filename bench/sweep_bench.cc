// SPDX-License-Identifier: GPL-3.0-or-later
// What the sweep of many expired tokens costs those who knock meanwhile: one gateway, knocks at a
// fixed rate in short windows, before, during and after the sweep, which begins by itself a minute
// after the start.
//
//     sweep_bench [EXPIRED [RATE]]          default: 100000 expired tokens, 2000 knocks a second
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/filled_store.h"
#include "bench/load.h"
#include "tests/support/gateway.h"

namespace {

using namespace knuckle;
using namespace knuckle::bench;

constexpr uint64_t kLivingTokens = 100'000;
constexpr Duration kWindow = seconds(1);
constexpr size_t kQuietWindows = 30;  // before and after together
constexpr size_t kWindowsMax = 600;

// Of the windows of one kind: percentiles of all their knocks.
struct Phase {
    const char* name;
    size_t windows = 0;
    Sample sample;

    void add(const Sample& window) {
        ++windows;
        sample.answered += window.answered;
        sample.refused += window.refused;
        sample.latencies_ns.insert(
            sample.latencies_ns.end(), window.latencies_ns.begin(), window.latencies_ns.end());
    }
    void print() {
        std::printf("%12s %9zu %10llu %9llu %9.0f %9.0f %9.0f %9.0f\n",
                    name,
                    windows,
                    static_cast<unsigned long long>(sample.answered),
                    static_cast<unsigned long long>(sample.refused),
                    sample.percentile_us(0.5),
                    sample.percentile_us(0.9),
                    sample.percentile_us(0.99),
                    sample.percentile_us(0.999));
    }
};

void run(uint64_t expired, uint64_t rate) {
    const test::TempDir dir;
    test::GatewayConfig config(dir);
    static_cast<void>(
        fill_store(config.data_dir, {.tokens = kLivingTokens, .expired_tokens = expired}));
    test::ApnsProcess apns(
        {.program = SIM_APNS_BINARY, .directory = dir / "apns", .more = {"--fast"}});
    config.point_to(apns);
    test::Gateway gateway(KNUCKLE_BINARY, config);
    gateway.wait_until_ready();
    Random random(1);
    Load load({.port = gateway.port(), .connections = 64, .token = [&](uint64_t) {
                   return token_text(random.below(kLivingTokens));
               }});
    const auto swept = [&] {
        return static_cast<uint64_t>(gateway.metric("knuckle_store_expired_tokens_total"));
    };

    static_cast<void>(load.run({.rate = rate, .duration = seconds(2)}));  // warm
    Phase quiet{.name = "no sweep", .sample = {}};
    Phase busy{.name = "sweep", .sample = {}};
    uint64_t erased = swept();
    for (size_t i = 0; i < kWindowsMax && (quiet.windows < kQuietWindows || erased < expired);
         ++i) {
        const Sample window = load.run({.rate = rate, .duration = kWindow});
        const uint64_t before = erased;
        erased = swept();
        (erased == before ? quiet : busy).add(window);
    }
    if (erased < expired) throw std::runtime_error("the sweep did not end");
    std::printf(
        "latency of knocks at %llu a second, in microseconds, while %llu of %llu tokens are "
        "swept\n",
        static_cast<unsigned long long>(rate),
        static_cast<unsigned long long>(erased),
        static_cast<unsigned long long>(kLivingTokens + expired));
    std::printf("%12s %9s %10s %9s %9s %9s %9s %9s\n",
                "",
                "seconds",
                "answered",
                "refused",
                "p50",
                "p90",
                "p99",
                "p99.9");
    quiet.print();
    busy.print();
    std::printf("p99 with the sweep is %.2f times that without\n",
                busy.sample.percentile_us(0.99) / quiet.sample.percentile_us(0.99));
}

}  // namespace

int main(int argc, char** argv) {
    const uint64_t expired = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
    const uint64_t rate = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 2'000;
    try {
        run(expired, rate);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "sweep_bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
