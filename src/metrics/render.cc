// SPDX-License-Identifier: GPL-3.0-or-later
#include "metrics/render.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "base/assert.h"

namespace knuckle::metrics {

namespace {

constexpr std::array<std::string_view, kKnockResultCount> kKnockResults{"delivered",
                                                                        "stored",
                                                                        "no_device",
                                                                        "undeliverable",
                                                                        "coalesced",
                                                                        "accepted",
                                                                        "unknown_token",
                                                                        "limited",
                                                                        "overloaded",
                                                                        "store_failed",
                                                                        "abandoned"};

constexpr std::array<std::string_view, kLimitCount> kLimits{"knocks_per_token",
                                                            "knocks_per_account",
                                                            "knocks_per_address",
                                                            "alert_window",
                                                            "background_window",
                                                            "logins_per_address",
                                                            "logins_per_account",
                                                            "tokens_per_address",
                                                            "tokens_per_account"};

constexpr std::string_view kCounter = "counter";
constexpr std::string_view kGauge = "gauge";

struct Family {
    std::string_view name;
    std::string_view type;
    std::string_view help;
};

// A number that each worker has.
struct WorkerFamily {
    Family family;
    Counter Counters::* counter;
};

constexpr std::array<WorkerFamily, 16> kWorkerFamilies{{
    {{"connections_accepted_total", kCounter, "Connections of clients that were accepted."},
     &Counters::connections_accepted},
    {{"connections_refused_total",
      kCounter,
      "Connections of clients that were closed at once: too many were open."},
     &Counters::connections_refused},
    {{"connections_open", kGauge, "Connections of clients that are open."},
     &Counters::connections_open},
    {{"http_requests_total", kCounter, "Complete HTTP requests of any kind."}, &Counters::requests},
    {{"http_requests_malformed_total", kCounter, "HTTP requests that could not be read."},
     &Counters::requests_malformed},
    {{"tls_failures_total",
      kCounter,
      "TLS handshakes of clients that failed, and records that did not decrypt."},
     &Counters::tls_failures},
    {{"jobs_waiting", kGauge, "Pushes that wait for a connection or a stream."},
     &Counters::jobs_waiting},
    {{"jobs_in_flight", kGauge, "Pushes that wait for the provider's answer."},
     &Counters::jobs_in_flight},
    {{"jobs_pending", kGauge, "Pushes that are on disk and will be sent again."},
     &Counters::jobs_pending},
    {{"lanes_stopped",
      kGauge,
      "Apps, times workers, to whose provider only probes go because of what it answered."},
     &Counters::lanes_stopped},
    {{"pushes_superseded_total",
      kCounter,
      "Pushes that waited when a newer one for the same device took their place."},
     &Counters::pushes_superseded},
    {{"upstreams_open", kGauge, "Connections to providers, those being made included."},
     &Counters::upstreams_open},
    {{"upstreams_ready", kGauge, "Connections to providers that take pushes."},
     &Counters::upstreams_ready},
    {{"upstream_dials_total", kCounter, "Connections to providers that were begun."},
     &Counters::upstream_dials},
    {{"upstream_failures_total", kCounter, "Connections to providers that failed or broke."},
     &Counters::upstream_failures},
    {{"upstream_pings_total", kCounter, "PINGs that asked whether a provider is still there."},
     &Counters::upstream_pings},
}};

class Page {
public:
    void begin(const Family& family) {
        family_ = family.name;
        put({"# HELP knuckle_", family.name, " ", family.help, "\n"});
        put({"# TYPE knuckle_", family.name, " ", family.type, "\n"});
    }
    // Of the family that was begun. `suffix` and `labels` may be empty; labels come with their
    // braces.
    void sample(std::string_view suffix, std::string_view labels, std::string_view value) {
        put({"knuckle_", family_, suffix, labels, " ", value, "\n"});
    }
    void sample(std::string_view labels, uint64_t value) {
        sample("", labels, std::to_string(value));
    }
    // A family of one.
    void add(const Family& family, uint64_t value) {
        begin(family);
        sample("", value);
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    void put(std::initializer_list<std::string_view> pieces) {
        for (const std::string_view piece : pieces) text_ += piece;
    }

    std::string text_;
    std::string_view family_;
};

// {name="value"}, escaped as the format wants it.
std::string label(std::string_view name, std::string_view value) {
    std::string text = "{" + std::string(name) + "=\"";
    for (const char c : value) {
        if (c == '\n') {
            text += "\\n";
            continue;
        }
        if (c == '"' || c == '\\') text += '\\';
        text += c;
    }
    return text + "\"}";
}

// Seconds in decimal, exact to the nanosecond, without zeros at the end.
std::string format_seconds(uint64_t ns) {
    std::string fraction = std::to_string(ns % 1'000'000'000);
    fraction.insert(0, 9 - fraction.size(), '0');
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return std::to_string(ns / 1'000'000'000) + (fraction.empty() ? "" : "." + fraction);
}

using Workers = std::span<const Counters* const>;

template <typename Get>
uint64_t sum(Workers workers, Get get) {
    uint64_t total = 0;
    for (const Counters* worker : workers) total += get(*worker);
    return total;
}

void render_process(Workers workers, const Process& process, Page& page) {
    page.begin({"build_info", kGauge, "The version that runs, always 1."});
    page.sample(label("version", process.version), 1);
    page.begin({"start_time_seconds", kGauge, "When the process started, in seconds since 1970."});
    page.sample(
        "",
        "",
        format_seconds(static_cast<uint64_t>(std::max<int64_t>(process.started.us, 0)) * 1'000));
    page.add({"workers", kGauge, "Threads that serve."}, workers.size());
    page.add({"ready", kGauge, "1 while /readyz says ready, else 0."}, process.is_ready ? 1 : 0);
}

void render_knocks(Workers workers, Page& page) {
    page.begin({"knocks_total", kCounter, "Knocks by what became of them."});
    for (size_t i = 0; i < kKnockResultCount; ++i) {
        const uint64_t count =
            sum(workers, [i](const Counters& worker) { return worker.knocks[i].get(); });
        page.sample(label("result", kKnockResults[i]), count);
    }

    page.begin({"knock_duration_seconds",
                "histogram",
                "Time from a knock's request to the provider's last answer."});
    uint64_t count = 0;
    for (size_t i = 0; i < Histogram::kBucketCount; ++i) {
        count +=
            sum(workers, [i](const Counters& worker) { return worker.knock_seconds.bucket(i); });
        const bool is_last = i == Histogram::kBounds.size();
        const std::string bound =
            is_last ? "+Inf" : format_seconds(static_cast<uint64_t>(Histogram::kBounds[i].ns));
        page.sample("_bucket", label("le", bound), std::to_string(count));
    }
    const uint64_t total =
        sum(workers, [](const Counters& worker) { return worker.knock_seconds.sum_ns(); });
    page.sample("_sum", "", format_seconds(total));
    page.sample("_count", "", std::to_string(count));
}

void render_limits(Workers workers, Page& page) {
    page.begin({"limited_requests_total", kCounter, "Requests over a limit, by the limit."});
    for (size_t i = 0; i < kLimitCount; ++i) {
        const uint64_t count =
            sum(workers, [i](const Counters& worker) { return worker.limited[i].get(); });
        page.sample(label("limit", kLimits[i]), count);
    }
}

void render_pushes(Workers workers, std::span<const std::string_view> outcome_names, Page& page) {
    KNUCKLE_ASSERT(outcome_names.size() <= kOutcomesMax);
    page.begin({"pushes_total", kCounter, "Pushes by how an attempt to send them ended."});
    for (size_t i = 0; i < outcome_names.size(); ++i) {
        const uint64_t count =
            sum(workers, [i](const Counters& worker) { return worker.pushes[i].get(); });
        page.sample(label("outcome", outcome_names[i]), count);
    }
    page.begin({"push_retries_total",
                kCounter,
                "Pushes that were to be sent once more, by the outcome that called for it."});
    for (size_t i = 0; i < outcome_names.size(); ++i) {
        const uint64_t count =
            sum(workers, [i](const Counters& worker) { return worker.retries[i].get(); });
        page.sample(label("outcome", outcome_names[i]), count);
    }
}

void render_workers(Workers workers, Page& page) {
    for (const WorkerFamily& one : kWorkerFamilies) {
        page.add(one.family,
                 sum(workers, [&](const Counters& worker) { return (worker.*one.counter).get(); }));
    }
    uint64_t longest = 0;
    for (const Counters* worker : workers) longest = std::max(longest, worker->job_wait_ns.get());
    page.begin({"job_wait_seconds", kGauge, "How long the oldest push has waited for a stream."});
    page.sample("", "", format_seconds(longest));
    // A sum would hide that one connection has been throttled, so the smallest is shown.
    uint64_t smallest = 0;
    for (const Counters* worker : workers) {
        const uint64_t streams = worker->streams_max.get();
        if (streams != 0 && (smallest == 0 || streams < smallest)) smallest = streams;
    }
    page.add({"upstream_streams_max",
              kGauge,
              "Pushes that a provider allows at once on the connection of a worker that was heard "
              "last, the smallest of all workers; 0 before the first answer."},
             smallest);
}

void render_store(const Process& process, Page& page) {
    page.add({"store_commits_total", kCounter, "Transactions that were committed to disk."},
             process.commits);
    page.add({"store_writes_total", kCounter, "Writes in these transactions."}, process.writes);
    page.add({"store_commit_failures_total", kCounter, "Transactions that failed."},
             process.commit_failures);
    page.add({"store_read_only",
              kGauge,
              "1 while the store takes no writes because a commit failed, else 0."},
             process.is_store_read_only ? 1 : 0);
    page.add({"store_expired_tokens_total", kCounter, "Tokens erased because they had expired."},
             process.expired_tokens);
    page.add({"store_expired_accounts_total",
              kCounter,
              "Accounts erased because nobody had used them for long."},
             process.expired_accounts);
    page.add(
        {"store_damaged_rows",
         kGauge,
         "Tokens and accounts that could not be read when the database was last gone through."},
        process.damaged_rows);
    page.add({"store_resealed_rows_total", kCounter, "Rows sealed anew because their key retires."},
             process.resealed_rows);
    page.add({"pending_pushes",
              kGauge,
              "Pushes on disk that will be sent, whether they are in memory or not."},
             process.pending_rows);
    page.add({"pending_bytes", kGauge, "Room that they take on disk."}, process.pending_bytes);
    page.begin({"pending_oldest_seconds", kGauge, "How long the oldest of them has been there."});
    page.sample("", "", format_seconds(static_cast<uint64_t>(process.pending_age.ns)));
    page.add({"store_key_rotation", kGauge, "1 while rows are sealed anew with a new key, else 0."},
             process.is_key_retiring ? 1 : 0);
}

void render_feedback(const Process& process, Page& page) {
    page.begin({"webhook_deliveries_total",
                kCounter,
                "Requests with feedback to the webhook, by how they ended."});
    page.sample(label("result", "delivered"), process.webhook_delivered);
    page.sample(label("result", "failed"), process.webhook_failed);
    if (!process.has_feedback_log) return;
    page.add({"feedback_events_total",
              kCounter,
              "Devices that died or came back, since the database was made."},
             process.feedback_events);
    page.add({"webhook_unsent_events", kGauge, "Events behind the cursor of the webhook."},
             process.webhook_unsent);
    page.add({"webhook_unsent_seconds",
              kGauge,
              "How long the oldest event that the webhook has not taken has waited."},
             static_cast<uint64_t>(to_seconds(process.webhook_unsent_age)));
}

void render_certificates(const Process& process, Page& page) {
    if (process.certificates.empty()) return;
    page.begin({"certificate_expiry_timestamp_seconds",
                kGauge,
                "When a certificate of ours ends, in seconds since 1970."});
    for (const CertificateEnd& each : process.certificates) {
        page.sample(label("certificate", each.name),
                    static_cast<uint64_t>(std::max<int64_t>(0, to_unix_seconds(each.not_after))));
    }
}

}  // namespace

std::string render(Workers workers,
                   std::span<const std::string_view> outcome_names,
                   const Process& process) {
    Page page;
    render_process(workers, process, page);
    render_knocks(workers, page);
    render_limits(workers, page);
    render_pushes(workers, outcome_names, page);
    render_workers(workers, page);
    render_store(process, page);
    render_feedback(process, page);
    render_certificates(process, page);
    return page.take();
}

}  // namespace knuckle::metrics
