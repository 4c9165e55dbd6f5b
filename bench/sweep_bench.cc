// SPDX-License-Identifier: GPL-3.0-or-later
// What the sweep of many expired tokens costs those who knock meanwhile. Two gateways over
// databases of the same size: in one many tokens have expired, and its sweep, which begins by
// itself a minute after the start, erases them; in the other there is nothing to erase. Each is
// knocked at the same rate for a few seconds in turn while the other is stopped (SIGSTOP). The
// sweep is not waited for: it rests so long between its steps that it takes minutes. How far it
// came is looked up after each round, and a round of it in which nothing was erased fails the run.
//
//     sweep_bench [EXPIRED [RATE [ROUNDS]]]      default: 100000 expired tokens, 2000 knocks a
//                                                second, 12 rounds of 5 seconds for each
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
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
constexpr Duration kRound = seconds(5);
// Its first round looks at every row, as that of the other does, which finds nothing in them.
constexpr Duration kLookAround = seconds(15);

// A gateway over its own database, and what was seen of its knocks.
class Side {
public:
    Side(const char* name, uint64_t living, uint64_t expired)
        : name_(name), config_(dir_), apns_(fill(living, expired)) {
        config_.point_to(apns_);
        gateway_ = std::make_unique<test::Gateway>(KNUCKLE_BINARY, config_);
        gateway_->wait_until_ready();
    }

    void stop() { gateway_->process().signal(SIGSTOP); }
    void go_on() { gateway_->process().signal(SIGCONT); }
    [[nodiscard]] uint64_t erased() const {
        return static_cast<uint64_t>(gateway_->metric("knuckle_store_expired_tokens_total"));
    }
    void warm(uint64_t rate) {
        const auto token = [this](uint64_t) { return token_text(random_.below(kLivingTokens)); };
        load_ = std::make_unique<Load>(
            LoadOptions{.port = gateway_->port(), .connections = 64, .token = token});
        static_cast<void>(load_->run({.rate = rate, .duration = seconds(2)}));
    }
    void measure(uint64_t rate) {
        Sample round = load_->run({.rate = rate, .duration = kRound});
        p99s_us_.push_back(round.percentile_us(0.99));
        all_.answered += round.answered;
        all_.refused += round.refused;
        all_.latencies_ns.insert(
            all_.latencies_ns.end(), round.latencies_ns.begin(), round.latencies_ns.end());
    }
    void print() {
        std::printf("%12s %10llu %9llu %9.0f %9.0f %9.0f %9.0f %16.0f\n",
                    name_,
                    static_cast<unsigned long long>(all_.answered),
                    static_cast<unsigned long long>(all_.refused),
                    all_.percentile_us(0.5),
                    all_.percentile_us(0.9),
                    all_.percentile_us(0.99),
                    all_.percentile_us(0.999),
                    median(p99s_us_));
    }
    [[nodiscard]] double p99_us() { return all_.percentile_us(0.99); }
    [[nodiscard]] double median_p99_us() const { return median(p99s_us_); }

private:
    test::ApnsProcessOptions fill(uint64_t living, uint64_t expired) {
        static_cast<void>(
            fill_store(config_.data_dir, {.tokens = living, .expired_tokens = expired}));
        return {.program = SIM_APNS_BINARY, .directory = dir_ / "apns", .more = {"--fast"}};
    }

    const char* name_;
    test::TempDir dir_;
    test::GatewayConfig config_;
    test::ApnsProcess apns_;
    std::unique_ptr<test::Gateway> gateway_;
    Random random_{1};
    std::unique_ptr<Load> load_;
    Sample all_;
    std::vector<double> p99s_us_;
};

void run(uint64_t expired, uint64_t rate, uint64_t rounds) {
    Side quiet("no sweep", kLivingTokens + expired, 0);
    Side swept("sweep", kLivingTokens, expired);
    if (!test::eventually([&] { return swept.erased() > 0; }, seconds(90)))
        throw std::runtime_error("the sweep did not begin");
    test::pause_for(kLookAround);
    quiet.warm(rate);
    swept.warm(rate);

    const uint64_t erased_before = swept.erased();
    for (uint64_t round = 0; round < rounds; ++round) {
        swept.stop();
        quiet.measure(rate);
        quiet.stop();
        swept.go_on();
        const uint64_t erased = swept.erased();
        swept.measure(rate);
        if (swept.erased() == erased) throw std::runtime_error("a round without a sweep");
        quiet.go_on();
    }
    const uint64_t erased = swept.erased() - erased_before;
    std::printf(
        "latency of knocks at %llu a second, in microseconds, %llu rounds of %lld s each; the "
        "sweep erased %llu of %llu tokens in them\n",
        static_cast<unsigned long long>(rate),
        static_cast<unsigned long long>(rounds),
        static_cast<long long>(to_seconds(kRound)),
        static_cast<unsigned long long>(erased),
        static_cast<unsigned long long>(expired));
    std::printf("%12s %10s %9s %9s %9s %9s %9s %16s\n",
                "",
                "answered",
                "refused",
                "p50",
                "p90",
                "p99",
                "p99.9",
                "median of p99s");
    quiet.print();
    swept.print();
    std::printf("p99 with the sweep is %.2f times that without; median of the rounds' %.2f times\n",
                swept.p99_us() / quiet.p99_us(),
                swept.median_p99_us() / quiet.median_p99_us());
}

uint64_t number(int argc, char** argv, int at, uint64_t otherwise) {
    return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(number(argc, argv, 1, 100'000),
            number(argc, argv, 2, 2'000),
            number(argc, argv, 3, 12));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "sweep_bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
