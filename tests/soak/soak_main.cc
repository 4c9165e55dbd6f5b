// SPDX-License-Identifier: GPL-3.0-or-later
// soak: the gateway under steady traffic and random faults for as long as it is told, and the
// verdict on what it became of: its memory, its descriptors, and its counters against the ledgers
// of the simulated APNs. `make soak MINUTES=30`.
//
// Two apps, each with an APNs of its own, so that the one's faults can be told from the other's.
// The faults are drawn from a seed, which is printed; when each strikes depends on the machine. It
// prints a line each ten seconds, and at the end what does not hold; status 0: all holds.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/support/gateway.h"
#include "tests/support/knock_load.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace knuckle;
using namespace knuckle::test;

constexpr size_t kPhonesOfApp = 200;
constexpr int kRate = 200;  // knocks a second, of both apps together
constexpr Duration kSampleEvery = seconds(10);
constexpr Duration kWarmUp = minutes(5);          // or a sixth of a shorter run
constexpr size_t kSamplesCompared = 6;            // a minute's
constexpr Duration kSettlesWithin = minutes(16);  // the longest wait before a retry is 15
constexpr double kGrowthMax = 0.05;
constexpr int64_t kDescriptorsMore = 4;  // connections that come and go with the faults

struct Options {
    int64_t minutes = 30;
    uint64_t seed = 1;
};

// What can happen to a provider. The texts are what its control interface takes.
struct Fault {
    std::string path;
    std::string json;
    Duration lasts;  // then all is well again
};

Fault draw_fault(Random& random) {
    const auto ms = [&](uint64_t from, uint64_t to) { return from + random.below(to - from); };
    const auto fail = [&](std::string_view status_and_reason) {
        return Fault{"/fail",
                     "{" + std::string(status_and_reason) + R"(,"for_ms":)" +
                         std::to_string(ms(100, 8'000)) + "}",
                     {}};
    };
    switch (random.below(8)) {
        case 0:
            return {"/delay", R"({"ms":)" + std::to_string(ms(1, 400)) + "}", seconds(5)};
        case 1:
            return {"/delay", R"({"ms":)" + std::to_string(ms(1'000, 4'000)) + "}", seconds(3)};
        case 2:
            return {
                "/stall", R"({"on":true})", milliseconds(static_cast<int64_t>(ms(100, 15'000)))};
        case 3:
            return fail(R"("status":503,"reason":"ServiceUnavailable")");
        case 4:
            return fail(R"("status":500,"reason":"InternalServerError")");
        case 5:
            return fail(R"("status":429,"reason":"TooManyRequests")");
        case 6:
            return fail(R"("status":403,"reason":"ExpiredProviderToken")");
        default:
            return {"/goaway", "{}", {}};
    }
}

// One app's provider, and what is wrong with it at the moment.
class Provider {
public:
    Provider(const TempDir& dir, std::string_view name)
        : process_({.program = SIM_APNS_BINARY, .directory = dir / name}) {}

    void make_mischief(Random& random, Instant now) {
        if (is_faulty_ && now >= ends_at_) heal();
        if (is_faulty_ || now < next_at_) return;
        const Fault fault = draw_fault(random);
        process_.tell(fault.path, fault.json);
        ++faults_;
        is_faulty_ = fault.lasts > Duration{};
        ends_at_ = now + fault.lasts;
        next_at_ = now + milliseconds(static_cast<int64_t>(2'000 + random.below(10'000)));
    }
    void heal() {
        process_.tell("/stall", R"({"on":false})");
        process_.tell("/delay", R"({"ms":0})");
        is_faulty_ = false;
    }

    [[nodiscard]] ApnsProcess& process() { return process_; }
    [[nodiscard]] int faults() const { return faults_; }

private:
    ApnsProcess process_;
    bool is_faulty_ = false;
    Instant ends_at_{};
    Instant next_at_{};
    int faults_ = 0;
};

struct Sample {
    int64_t anonymous_kib = 0;
    int64_t descriptors = 0;
};

// Of so many samples from there on.
template <typename Number>
Number mean_of(const std::vector<Sample>& samples, size_t from, int64_t Sample::* what) {
    const size_t to = std::min(samples.size(), from + kSamplesCompared);
    Number sum = 0;
    for (size_t i = from; i < to; ++i) sum += static_cast<Number>(samples[i].*what);
    return sum / static_cast<Number>(std::max<size_t>(1, to - from));
}

class Soak {
public:
    explicit Soak(const Options& options)
        : options_(options),
          random_(options.seed),
          chat_(dir_, "chat"),
          zom_(dir_, "zom"),
          config_(dir_) {
        config_.point_to(chat_.process());
        config_.workers = 2;
        config_.tables = "[knocks]\nack_wait = \"500ms\"\nrequest_timeout = \"3s\"\n";
        config_.app = "hosts = [\"push.example.org\"]\n";
        GatewayConfig other(dir_);
        other.point_to(zom_.process());
        config_.apns =
            "[apps.zom]\nhosts = [\"zom.example.org\"]\n[apps.zom.apns]\n" + other.apns_keys();
        gateway_ = std::make_unique<Gateway>(KNUCKLE_BINARY, config_);
        gateway_->wait_until_ready();
    }

    // True: all holds.
    bool run() {
        register_phones();
        const auto knocks = static_cast<size_t>(options_.minutes * 60 * kRate);
        KnockLoad load({.port = gateway_->port(),
                        .connections = 400,
                        .knocks = knocks,
                        .phones = phones_,
                        .rate = kRate});
        begin_ = monotonic_now();
        const bool is_done =
            load.run(minutes(options_.minutes) + minutes(2), [&] { attend(load); });
        for (Provider* const provider : {&chat_, &zom_}) provider->heal();
        expect(is_done, "every knock was answered in time");
        // A row is erased with the newest push to its device; another worker may have an older one.
        const bool is_settled = eventually(
            [&] {
                return gateway_->metric("knuckle_pending_pushes") == 0 &&
                       gateway_->metric("knuckle_jobs_pending") == 0;
            },
            kSettlesWithin);
        expect(is_settled, "what was stored is sent when all is well again");
        judge(load);
        return holds_;
    }

private:
    void register_phones() {
        HttpClient client(gateway_->port());
        for (const std::string_view host : {"push.example.org", "zom.example.org"}) {
            client.set_host(host);
            for (size_t i = 0; i < kPhonesOfApp; ++i) {
                // An account's knock wakes all its devices: one each.
                phones_.push_back(
                    register_phone(client, "anna" + std::to_string(i), phones_.size() + 1));
                phones_.back().host = host;
            }
        }
    }

    void attend(const KnockLoad& load) {
        const Instant now = monotonic_now();
        for (Provider* const provider : {&chat_, &zom_}) provider->make_mischief(random_, now);
        if (now < sampled_at_ + kSampleEvery) return;
        sampled_at_ = now;
        samples_.push_back({anonymous_kib(gateway_->process().pid()),
                            open_descriptors(gateway_->process().pid())});
        std::printf("%6lld s  %zu answered  %lld KiB  %lld descriptors  %.0f pending  %d faults\n",
                    static_cast<long long>(to_seconds(now - begin_)),
                    load.answered(),
                    static_cast<long long>(samples_.back().anonymous_kib),
                    static_cast<long long>(samples_.back().descriptors),
                    gateway_->metric("knuckle_pending_pushes"),
                    chat_.faults() + zom_.faults());
        std::fflush(stdout);
    }

    void judge(KnockLoad& load) {
        const auto metric = [&](std::string_view name) {
            return static_cast<int64_t>(gateway_->metric("knuckle_" + std::string(name)));
        };
        const auto answered = static_cast<int64_t>(load.answered(202));
        int64_t results = 0;
        for (const char* result : {"delivered", "stored"}) {
            results += metric("knocks_total{result=\"" + std::string(result) + "\"}");
        }
        const int64_t arrived =
            chat_.process().count("/pushes_accepted") + zom_.process().count("/pushes_accepted");
        const int64_t twice =
            chat_.process().count("/duplicates") + zom_.process().count("/duplicates");
        const int64_t delivered = metric("pushes_total{outcome=\"delivered\"}");
        const int64_t superseded = metric("pushes_superseded_total");
        const int64_t unknown = metric("pushes_total{outcome=\"unknown\"}");
        expect(load.answered() == load.answered(202), "every answer is 202");
        expect(load.cut_off().empty() && load.torn() == 0, "no connection was closed on a knock");
        expect(results == answered, "as many results are counted as knocks were answered");
        expect(delivered + superseded == answered,
               "every push was delivered, or a newer one in its place");
        // One that was taken while its fate was unknown may have been superseded nevertheless.
        expect(arrived >= delivered && arrived <= delivered + unknown,
               "the providers have what was counted as delivered");
        expect(twice <= unknown, "none came twice but where its fate was unknown");
        expect(metric("jobs_waiting") == 0 && metric("jobs_in_flight") == 0, "nothing is left");
        std::printf(
            "answered %lld, delivered %lld, superseded %lld, arrived %lld, unknown %lld, twice "
            "%lld, dials %lld\n",
            static_cast<long long>(answered),
            static_cast<long long>(delivered),
            static_cast<long long>(superseded),
            static_cast<long long>(arrived),
            static_cast<long long>(unknown),
            static_cast<long long>(twice),
            static_cast<long long>(metric("upstream_dials_total")));
        judge_samples();
        expect(gateway_->stop() == 0, "it ends well");
    }

    void judge_samples() {
        const Duration whole = minutes(options_.minutes);
        const Duration warm_up = std::min(kWarmUp, Duration{whole.ns / 6});
        const auto warm = static_cast<size_t>(warm_up.ns / kSampleEvery.ns);
        const size_t last = samples_.size() - std::min(samples_.size(), kSamplesCompared);
        const auto before = mean_of<double>(samples_, warm, &Sample::anonymous_kib);
        const auto after = mean_of<double>(samples_, last, &Sample::anonymous_kib);
        std::printf("memory %.0f KiB after the warm-up, %.0f KiB at the end (%+.1f %%)\n",
                    before,
                    after,
                    100 * (after / before - 1));
        expect(after <= before * (1 + kGrowthMax), "memory has not grown");
        expect(mean_of<int64_t>(samples_, last, &Sample::descriptors) <=
                   mean_of<int64_t>(samples_, warm, &Sample::descriptors) + kDescriptorsMore,
               "no descriptor was left open");
    }

    void expect(bool is_so, const char* what) {
        std::printf("%s: %s\n", is_so ? "holds" : "FAILS", what);
        holds_ = holds_ && is_so;
    }

    Options options_;
    Random random_;
    TempDir dir_;
    Provider chat_;
    Provider zom_;
    GatewayConfig config_;
    std::unique_ptr<Gateway> gateway_;
    std::vector<Phone> phones_;
    std::vector<Sample> samples_;
    Instant begin_{};
    Instant sampled_at_{};
    bool holds_ = true;
};

// MINUTES and SEED, in this order; both may be left out.
Options parse(const std::vector<std::string>& words) {
    const auto number = [&](size_t index, uint64_t otherwise) {
        if (index >= words.size()) return otherwise;
        const auto value = parse_decimal(words[index]);
        if (!value || *value == 0) throw std::runtime_error("usage: soak [MINUTES [SEED]]");
        return *value;
    };
    return {.minutes = static_cast<int64_t>(number(0, 30)), .seed = number(1, 1)};
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Options options = parse({argv + 1, argv + argc});
        std::printf("soak: %lld minutes, seed %llu\n",
                    static_cast<long long>(options.minutes),
                    static_cast<unsigned long long>(options.seed));
        return Soak(options).run() ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "soak: %s\n", error.what());
        return 1;
    }
}
