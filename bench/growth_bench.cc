// SPDX-License-Identifier: GPL-3.0-or-later
// How the CPU of a whole knock grows with the number of tokens, and what memory the gateway needs
// apart from the mapped database: one gateway for each size, each with its own simulated APNs, in
// alternating rounds of as many knocks as will go, tokens at random.
//
//     growth_bench [TOKENS ...]          default: 10000 1000000
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/filled_store.h"
#include "bench/load.h"
#include "tests/support/gateway.h"

namespace {

using namespace knuckle;
using namespace knuckle::bench;

constexpr size_t kRounds = 7;
constexpr Duration kRoundTime = seconds(3);
constexpr size_t kConnections = 64;

// A gateway over `tokens` tokens, and what was seen of it.
class Candidate {
public:
    Candidate(const test::TempDir& dir, uint64_t tokens)
        : tokens_(tokens), folder_(dir / std::to_string(tokens)) {
        test::GatewayConfig config(dir);
        config.environment = "production";  // where the devices of fill_store() are proven
        config.folder = folder_;
        config.data_dir = folder_ + "/data";
        static_cast<void>(fill_store(config.data_dir, {.tokens = tokens}));
        apns_ = std::make_unique<test::ApnsProcess>(test::ApnsProcessOptions{
            .program = SIM_APNS_BINARY, .directory = folder_ + "/apns", .more = {"--fast"}});
        config.point_to(*apns_);
        gateway_ = std::make_unique<test::Gateway>(KNUCKLE_BINARY, config);
        gateway_->wait_until_ready();
    }

    void measure() {
        // A new one: while the others have their turns, connections would idle out.
        Load load({.port = gateway_->port(),
                   .connections = kConnections,
                   .token = [this](uint64_t) { return token_text(random_.below(tokens_)); }});
        const Duration before = cpu_time_of(pid());
        const Sample sample = load.run({.rate = 0, .duration = kRoundTime});
        const Duration used = cpu_time_of(pid()) - before;
        cpu_us_.push_back(static_cast<double>(to_us(used)) / static_cast<double>(sample.answered));
        rate_.push_back(static_cast<double>(sample.answered) * 1e9 /
                        static_cast<double>(sample.duration.ns));
        refused_ += sample.refused;
    }

    void print(double first_us) const {
        const uint64_t own = memory_kib_of(pid(), "status", "RssAnon:");
        const uint64_t all = memory_kib_of(pid(), "status", "VmRSS:");
        std::printf("%12llu %12.2f %12.2f %12.0f %12.1f %12.1f %12llu\n",
                    static_cast<unsigned long long>(tokens_),
                    cpu_us(),
                    cpu_us() - first_us,
                    median(rate_),
                    static_cast<double>(own) / 1024,
                    static_cast<double>(all) / 1024,
                    static_cast<unsigned long long>(refused_));
    }
    [[nodiscard]] double cpu_us() const { return median(cpu_us_); }

private:
    [[nodiscard]] int pid() const { return gateway_->process().pid(); }

    uint64_t tokens_;
    std::string folder_;
    Random random_{1};
    std::unique_ptr<test::ApnsProcess> apns_;
    std::unique_ptr<test::Gateway> gateway_;
    std::vector<double> cpu_us_;
    std::vector<double> rate_;
    uint64_t refused_ = 0;
};

void run(const std::vector<uint64_t>& sizes) {
    const test::TempDir dir;
    std::vector<std::unique_ptr<Candidate>> candidates;
    for (const uint64_t size : sizes) candidates.push_back(std::make_unique<Candidate>(dir, size));
    for (size_t round = 0; round < kRounds; ++round) {
        for (const auto& candidate : candidates) candidate->measure();
    }
    std::printf(
        "CPU of a knock, saturated, %zu connections, one worker; own memory is what is not\n"
        "the mapped database nor the program\n",
        kConnections);
    std::printf("%12s %12s %12s %12s %12s %12s %12s\n",
                "tokens",
                "us/knock",
                "growth",
                "knocks/s",
                "own MiB",
                "RSS MiB",
                "refused");
    for (const auto& candidate : candidates) candidate->print(candidates.front()->cpu_us());
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<uint64_t> sizes;
    for (int i = 1; i < argc; ++i) sizes.push_back(std::strtoull(argv[i], nullptr, 10));
    if (sizes.empty()) sizes = {10'000, 1'000'000};
    try {
        run(sizes);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "growth_bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
