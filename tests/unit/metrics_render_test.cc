// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "metrics/render.h"

using namespace knuckle;
using namespace knuckle::metrics;

namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
constexpr std::string_view kDigits = "0123456789";

// Reads one line of the format from left to right; REQUIREs what must be there.
class Line {
public:
    explicit Line(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool starts_with(std::string_view text) const { return rest_.starts_with(text); }
    [[nodiscard]] std::string_view rest() const { return rest_; }
    void expect(std::string_view text) {
        REQUIRE(rest_.starts_with(text));
        rest_.remove_prefix(text.size());
    }
    // [a-zA-Z_][a-zA-Z0-9_]*: what the format calls a name, without the colon that is for recording
    // rules.
    std::string name() {
        std::string word;
        while (!rest_.empty() &&
               (kLetters.find(rest_[0]) != rest_.npos || kDigits.find(rest_[0]) != rest_.npos)) {
            word += rest_[0];
            rest_.remove_prefix(1);
        }
        REQUIRE_FALSE(word.empty());
        REQUIRE(kLetters.find(word[0]) != kLetters.npos);
        return word;
    }
    std::string quoted() {
        expect("\"");
        std::string word;
        while (!starts_with("\"")) {
            REQUIRE_FALSE(rest_.empty());
            if (starts_with("\\")) {
                rest_.remove_prefix(1);
                REQUIRE((starts_with("\\") || starts_with("\"") || starts_with("n")));
                word += starts_with("n") ? '\n' : rest_[0];
            } else {
                word += rest_[0];
            }
            rest_.remove_prefix(1);
        }
        expect("\"");
        return word;
    }

private:
    std::string_view rest_;
};

// A number in decimal as we write them: no sign, no exponent.
bool is_decimal(std::string_view text) {
    const size_t whole = text.find_first_not_of(kDigits);
    if (whole == 0) return false;
    if (whole == text.npos) return true;
    const std::string_view fraction = text.substr(whole + 1);
    return text[whole] == '.' && !fraction.empty() &&
           fraction.find_first_not_of(kDigits) == fraction.npos;
}

struct Family {
    std::string type;
    std::vector<std::pair<std::string, std::string>> samples;  // name with labels, value
};

// Checks every line of an exposition and the order of lines that the format wants: HELP and TYPE
// once for each family, before its samples, and the samples of a family together.
struct Exposition {
    explicit Exposition(const std::string& text) {
        REQUIRE(text.ends_with('\n'));
        std::istringstream lines(text);
        std::string family;
        for (std::string line; std::getline(lines, line);) {
            INFO(line);
            if (line.starts_with("# HELP ")) {
                Line help(line);
                help.expect("# HELP ");
                family = help.name();
                help.expect(" ");
                REQUIRE(help.rest().ends_with("."));
                REQUIRE(help.rest().find('\\') == std::string_view::npos);
                REQUIRE(families.count(family) == 0);
                families[family];
            } else if (line.starts_with("# TYPE ")) {
                Line type(line);
                type.expect("# TYPE ");
                REQUIRE(type.name() == family);
                type.expect(" ");
                REQUIRE(families[family].type.empty());
                REQUIRE(families[family].samples.empty());
                families[family].type = type.rest();
            } else {
                read_sample(line, family);
            }
        }
    }

    void read_sample(const std::string& text, const std::string& family) {
        Line line(text);
        const std::string name = line.name();
        Family& group = families.at(family);
        const bool is_histogram = group.type == "histogram";
        const std::string suffix = name.substr(std::min(family.size(), name.size()));
        REQUIRE(name.starts_with(family));
        if (is_histogram) {
            REQUIRE((suffix == "_bucket" || suffix == "_sum" || suffix == "_count"));
        } else {
            REQUIRE(suffix.empty());
            REQUIRE((group.type == "counter" || group.type == "gauge"));
        }
        std::string labels;
        if (line.starts_with("{")) {
            line.expect("{");
            labels = line.name();
            line.expect("=");
            labels += "=" + line.quoted();
            line.expect("}");
        }
        line.expect(" ");
        REQUIRE(is_decimal(line.rest()));
        const std::string key = name + (labels.empty() ? "" : "{" + labels + "}");
        REQUIRE(values.count(key) == 0);
        values[key] = line.rest();
        group.samples.emplace_back(key, line.rest());
    }

    std::map<std::string, Family> families;
    std::map<std::string, std::string> values;
};

constexpr std::array<std::string_view, 3> kOutcomes{"delivered", "unregistered", "throttled"};

struct Gateway {
    explicit Gateway(size_t workers) {
        for (size_t i = 0; i < workers; ++i) {
            counters.push_back(std::make_unique<Counters>());
            views.push_back(counters.back().get());
        }
    }
    [[nodiscard]] std::string text() const { return render(views, kOutcomes, process); }
    [[nodiscard]] std::string value(const std::string& name) const {
        return Exposition(text()).values.at(name);
    }

    Process process{.version = "1.2.3", .started = from_unix_seconds(1'700'000'000)};
    std::vector<std::unique_ptr<Counters>> counters;
    std::vector<const Counters*> views;
};

}  // namespace

TEST_CASE("every line of the page is in Prometheus' format", "[metrics]") {
    Gateway gateway(2);
    const Exposition page(gateway.text());
    REQUIRE(page.families.size() > 20);
    for (const auto& [name, family] : page.families) {
        INFO(name);
        CHECK(name.starts_with("knuckle_"));
        CHECK_FALSE(family.samples.empty());
        CHECK(name.ends_with("_total") == (family.type == "counter"));
        // Times are in seconds, so no other unit may appear.
        for (const char* unit : {"_ms", "_us", "_ns", "_milliseconds", "_minutes"})
            CHECK_FALSE(name.ends_with(unit));
    }
}

TEST_CASE("a gateway that has just started shows every series, at zero", "[metrics]") {
    const Gateway gateway(1);
    const Exposition page(gateway.text());
    const std::set<std::string> kNotZero{
        "knuckle_build_info{version=1.2.3}", "knuckle_start_time_seconds", "knuckle_workers"};
    for (const auto& [name, value] : page.values) {
        INFO(name);
        CHECK((value == "0") == (kNotZero.count(name) == 0));
    }
    CHECK(page.values.at("knuckle_build_info{version=1.2.3}") == "1");
    CHECK(page.values.at("knuckle_start_time_seconds") == "1700000000");
    CHECK(page.values.at("knuckle_workers") == "1");
}

TEST_CASE("the same numbers give the same text", "[metrics]") {
    const Gateway gateway(3);
    CHECK(gateway.text() == gateway.text());
    CHECK(gateway.text() == Gateway(3).text());
}

TEST_CASE("workers are summed", "[metrics]") {
    Gateway gateway(3);
    uint64_t n = 1;
    for (const auto& worker : gateway.counters) {
        worker->count(KnockResult::delivered);
        worker->knocks[static_cast<size_t>(KnockResult::abandoned)].add(10 * n);
        worker->pushes[1].add(n);
        worker->connections_open.set(n);
        worker->requests.add(100);
        worker->jobs_pending.set(7);
        n *= 10;
    }
    CHECK(gateway.value("knuckle_knocks_total{result=delivered}") == "3");
    CHECK(gateway.value("knuckle_knocks_total{result=abandoned}") == "1110");
    CHECK(gateway.value("knuckle_pushes_total{outcome=unregistered}") == "111");
    CHECK(gateway.value("knuckle_connections_open") == "111");
    CHECK(gateway.value("knuckle_http_requests_total") == "300");
    CHECK(gateway.value("knuckle_jobs_pending") == "21");
}

TEST_CASE("each counter has a series of its own", "[metrics]") {
    const std::vector<std::pair<Counter Counters::*, std::string>> series = {
        {&Counters::connections_accepted, "knuckle_connections_accepted_total"},
        {&Counters::connections_open, "knuckle_connections_open"},
        {&Counters::connections_refused, "knuckle_connections_refused_total"},
        {&Counters::requests, "knuckle_http_requests_total"},
        {&Counters::requests_malformed, "knuckle_http_requests_malformed_total"},
        {&Counters::tls_failures, "knuckle_tls_failures_total"},
        {&Counters::jobs_waiting, "knuckle_jobs_waiting"},
        {&Counters::jobs_in_flight, "knuckle_jobs_in_flight"},
        {&Counters::jobs_pending, "knuckle_jobs_pending"},
        {&Counters::lanes_stopped, "knuckle_lanes_stopped"},
        {&Counters::pushes_superseded, "knuckle_pushes_superseded_total"},
        {&Counters::upstreams_open, "knuckle_upstreams_open"},
        {&Counters::upstreams_ready, "knuckle_upstreams_ready"},
        {&Counters::upstream_dials, "knuckle_upstream_dials_total"},
        {&Counters::upstream_failures, "knuckle_upstream_failures_total"},
        {&Counters::upstream_pings, "knuckle_upstream_pings_total"},
        {&Counters::streams_max, "knuckle_upstream_streams_max"},
    };
    for (const auto& [counter, name] : series) {
        INFO(name);
        Gateway gateway(1);
        Exposition before(gateway.text());
        (gateway.counters[0].get()->*counter).set(5);
        Exposition after(gateway.text());
        CHECK(after.values.at(name) == "5");
        after.values[name] = before.values.at(name);
        CHECK(after.values == before.values);
    }
}

TEST_CASE("of the oldest pushes the one that waits longest is shown", "[metrics]") {
    Gateway gateway(2);
    gateway.counters[0]->job_wait_ns.set(1'500'000'000);
    gateway.counters[1]->job_wait_ns.set(20'000'000);
    CHECK(Exposition(gateway.text()).values.at("knuckle_job_wait_seconds") == "1.5");
}

TEST_CASE("every result of a knock has a name", "[metrics]") {
    Gateway gateway(1);
    for (size_t i = 0; i < kKnockResultCount; ++i) gateway.counters[0]->knocks[i].add(i + 1);
    const Exposition page(gateway.text());
    std::vector<std::string> names;
    for (const auto& [name, value] : page.families.at("knuckle_knocks_total").samples) {
        names.push_back(name + " " + value);
    }
    CHECK(names == std::vector<std::string>{"knuckle_knocks_total{result=delivered} 1",
                                            "knuckle_knocks_total{result=stored} 2",
                                            "knuckle_knocks_total{result=no_device} 3",
                                            "knuckle_knocks_total{result=undeliverable} 4",
                                            "knuckle_knocks_total{result=coalesced} 5",
                                            "knuckle_knocks_total{result=accepted} 6",
                                            "knuckle_knocks_total{result=unknown_token} 7",
                                            "knuckle_knocks_total{result=limited} 8",
                                            "knuckle_knocks_total{result=overloaded} 9",
                                            "knuckle_knocks_total{result=store_failed} 10",
                                            "knuckle_knocks_total{result=abandoned} 11"});
}

TEST_CASE("each limit has its name, and workers add up", "[metrics]") {
    Gateway gateway(2);
    for (size_t i = 0; i < kLimitCount; ++i) gateway.counters[0]->limited[i].add(i + 1);
    gateway.counters[1]->count(Limit::knocks_per_token);
    const Exposition page(gateway.text());
    std::vector<std::string> names;
    for (const auto& [name, value] : page.families.at("knuckle_limited_requests_total").samples) {
        names.push_back(name + " " + value);
    }
    CHECK(names ==
          std::vector<std::string>{"knuckle_limited_requests_total{limit=knocks_per_token} 2",
                                   "knuckle_limited_requests_total{limit=knocks_per_account} 2",
                                   "knuckle_limited_requests_total{limit=knocks_per_address} 3",
                                   "knuckle_limited_requests_total{limit=alert_window} 4",
                                   "knuckle_limited_requests_total{limit=background_window} 5",
                                   "knuckle_limited_requests_total{limit=logins_per_address} 6",
                                   "knuckle_limited_requests_total{limit=logins_per_account} 7",
                                   "knuckle_limited_requests_total{limit=tokens_per_address} 8",
                                   "knuckle_limited_requests_total{limit=tokens_per_account} 9"});
}

TEST_CASE("the histogram is cumulative, in seconds, and ends with everything", "[metrics]") {
    Gateway gateway(2);
    gateway.counters[0]->knock_seconds.add(microseconds(50));
    gateway.counters[0]->knock_seconds.add(milliseconds(3));
    gateway.counters[1]->knock_seconds.add(milliseconds(3));
    gateway.counters[1]->knock_seconds.add(seconds(90));
    const Exposition page(gateway.text());
    const Family& family = page.families.at("knuckle_knock_duration_seconds");
    REQUIRE(family.type == "histogram");
    REQUIRE(family.samples.size() == Histogram::kBucketCount + 2);

    double last_bound = 0;
    uint64_t last_count = 0;
    for (size_t i = 0; i < Histogram::kBucketCount; ++i) {
        const auto& [name, value] = family.samples[i];
        INFO(name);
        const std::string prefix = "knuckle_knock_duration_seconds_bucket{le=";
        REQUIRE(name.starts_with(prefix));
        const std::string bound = name.substr(prefix.size(), name.size() - prefix.size() - 1);
        const bool is_last = i + 1 == Histogram::kBucketCount;
        CHECK((bound == "+Inf") == is_last);
        if (!is_last) {
            CHECK(is_decimal(bound));
            CHECK(std::strtod(bound.c_str(), nullptr) > last_bound);
            last_bound = std::strtod(bound.c_str(), nullptr);
        }
        CHECK(std::stoull(value) >= last_count);
        last_count = std::stoull(value);
    }
    CHECK(page.values.at("knuckle_knock_duration_seconds_bucket{le=0.00005}") == "1");
    CHECK(page.values.at("knuckle_knock_duration_seconds_bucket{le=0.002}") == "1");
    CHECK(page.values.at("knuckle_knock_duration_seconds_bucket{le=0.005}") == "3");
    CHECK(page.values.at("knuckle_knock_duration_seconds_bucket{le=10}") == "3");
    CHECK(page.values.at("knuckle_knock_duration_seconds_bucket{le=+Inf}") == "4");
    CHECK(page.values.at("knuckle_knock_duration_seconds_count") == "4");
    CHECK(page.values.at("knuckle_knock_duration_seconds_sum") == "90.00605");
}

TEST_CASE("the most throttled connection shows, not a sum", "[metrics]") {
    Gateway gateway(3);
    CHECK(gateway.value("knuckle_upstream_streams_max") == "0");
    gateway.counters[0]->streams_max.set(1'000);
    CHECK(gateway.value("knuckle_upstream_streams_max") == "1000");
    gateway.counters[2]->streams_max.set(1);
    CHECK(gateway.value("knuckle_upstream_streams_max") == "1");
}

TEST_CASE("the process and its store have their series", "[metrics]") {
    Gateway gateway(1);
    gateway.process = {.version = "1 \"x\" \\ \n",
                       .started = UnixTime{1'700'000'000'250'000},
                       .is_ready = true,
                       .commits = 5,
                       .commit_failures = 6,
                       .writes = 7,
                       .is_store_read_only = true,
                       .expired_tokens = 8,
                       .expired_accounts = 9,
                       .damaged_rows = 10,
                       .resealed_rows = 11,
                       .is_key_retiring = true,
                       .feedback_events = 12,
                       .webhook_delivered = 13,
                       .webhook_failed = 14,
                       .webhook_unsent = 15,
                       .webhook_unsent_age = seconds(16)};
    const Exposition page(gateway.text());
    CHECK(page.values.at("knuckle_build_info{version=1 \"x\" \\ \n}") == "1");
    CHECK(page.values.at("knuckle_start_time_seconds") == "1700000000.25");
    CHECK(page.values.at("knuckle_workers") == "1");
    CHECK(page.values.at("knuckle_ready") == "1");
    CHECK(page.values.at("knuckle_store_commits_total") == "5");
    CHECK(page.values.at("knuckle_store_commit_failures_total") == "6");
    CHECK(page.values.at("knuckle_store_writes_total") == "7");
    CHECK(page.values.at("knuckle_store_read_only") == "1");
    CHECK(page.values.at("knuckle_store_expired_tokens_total") == "8");
    CHECK(page.values.at("knuckle_store_expired_accounts_total") == "9");
    CHECK(page.values.at("knuckle_store_damaged_rows") == "10");
    CHECK(page.values.at("knuckle_store_resealed_rows_total") == "11");
    CHECK(page.values.at("knuckle_store_key_rotation") == "1");
    CHECK(page.values.at("knuckle_feedback_events_total") == "12");
    CHECK(page.values.at("knuckle_webhook_deliveries_total{result=delivered}") == "13");
    CHECK(page.values.at("knuckle_webhook_deliveries_total{result=failed}") == "14");
    CHECK(page.values.at("knuckle_webhook_unsent_events") == "15");
    CHECK(page.values.at("knuckle_webhook_unsent_seconds") == "16");

    // No figure is better than one that says that all has been sent.
    gateway.process.has_feedback_log = false;
    const Exposition without(gateway.text());
    CHECK(without.values.count("knuckle_feedback_events_total") == 0);
    CHECK(without.values.count("knuckle_webhook_unsent_events") == 0);
    CHECK(without.values.at("knuckle_webhook_deliveries_total{result=failed}") == "14");
}

TEST_CASE("each certificate says when it ends", "[metrics]") {
    Gateway gateway(1);
    CHECK(gateway.text().find("certificate") == std::string::npos);
    gateway.process.certificates = {{"listen [::]:443", from_unix_seconds(1'900'000'000)},
                                    {"app chat", from_unix_seconds(-1)}};
    const Exposition page(gateway.text());
    const std::string name = "knuckle_certificate_expiry_timestamp_seconds{certificate=";
    CHECK(page.values.at(name + "listen [::]:443}") == "1900000000");
    CHECK(page.values.at(name + "app chat}") == "0");
}

TEST_CASE("a gateway without workers and outcomes still has a page", "[metrics]") {
    const std::string text = render({}, {}, {});
    CHECK(text.find("knuckle_knock_duration_seconds_count 0\n") != std::string::npos);
    CHECK(text.find("knuckle_build_info{version=\"\"} 1\n") != std::string::npos);
}

TEST_CASE("the operator's manual explains every series", "[metrics]") {
    std::ifstream file(KNUCKLE_SOURCE_DIR "/docs/OPERATIONS.md");
    REQUIRE(file);
    std::ostringstream manual;
    manual << file.rdbuf();
    Gateway gateway(1);
    gateway.process.certificates = {{"app chat", from_unix_seconds(1'900'000'000)}};
    const Exposition page(gateway.text());
    for (const auto& [name, family] : page.families) {
        INFO(name);
        const std::string row = "| `" + name.substr(std::string("knuckle_").size());
        const bool is_explained = manual.str().find(row + "`") != std::string::npos ||
                                  manual.str().find(row + "{") != std::string::npos;
        CHECK(is_explained);
    }
    for (const char* result : {"delivered",
                               "stored",
                               "no_device",
                               "undeliverable",
                               "unknown_token",
                               "overloaded",
                               "store_failed",
                               "abandoned"}) {
        CHECK(manual.str().find(std::string("| `") + result + "` |") != std::string::npos);
    }
}
