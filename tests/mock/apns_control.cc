// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/apns_control.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <simdjson.h>

#include "base/json.h"
#include "http1/response.h"
#include "tests/mock/sim_apns.h"

namespace knuckle::mock {

namespace {

namespace dom = simdjson::dom;

// Writes JSON of any length: once more with twice the room whenever it did not fit.
template <typename Write>
std::string write_json(Write write) {
    std::string text(4'096, '\0');
    for (;;) {
        JsonWriter json(text);
        write(json);
        if (json.fits()) {
            text.resize(json.text().size());
            return text;
        }
        text.resize(2 * text.size());
    }
}

uint64_t ns_of(Instant instant) { return static_cast<uint64_t>(instant.ns); }

std::string_view string_in(const dom::object& object, std::string_view name) {
    std::string_view text;
    if (object[name].get(text) != simdjson::SUCCESS) return {};
    return text;
}

std::optional<int64_t> number_in(const dom::object& object, std::string_view name) {
    int64_t number = 0;
    if (object[name].get(number) != simdjson::SUCCESS) return std::nullopt;
    return number;
}

bool is_true(const dom::object& object, std::string_view name, bool otherwise = false) {
    bool value = otherwise;
    return object[name].get(value) == simdjson::SUCCESS ? value : otherwise;
}

uint32_t small_in(const dom::object& object, std::string_view name, uint32_t otherwise) {
    const auto number = number_in(object, name);
    if (!number || *number < 0 || *number > INT32_MAX) return otherwise;
    return static_cast<uint32_t>(*number);
}

Duration ms_in(const dom::object& object, std::string_view name) {
    return milliseconds(small_in(object, name, 0));
}

std::optional<FaultKind> to_fault(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, FaultKind>, 8> kKinds{{
        {"answer", FaultKind::answer},
        {"late", FaultKind::late},
        {"silence", FaultKind::silence},
        {"reset", FaultKind::reset},
        {"cut_answer", FaultKind::cut_answer},
        {"half_answer", FaultKind::half_answer},
        {"goaway", FaultKind::goaway},
        {"hang_up", FaultKind::hang_up},
    }};
    for (const auto& [text, kind] : kKinds) {
        if (text == name) return kind;
    }
    return std::nullopt;
}

// False: it is there, and is none.
bool read_environment(const dom::object& object, std::optional<bool>& is_sandbox) {
    const std::string_view name = string_in(object, "environment");
    if (name.empty()) return true;
    is_sandbox = name == "sandbox";
    return *is_sandbox || name == "production";
}

std::optional<DeviceState> to_state(std::string_view name) {
    constexpr std::array<std::pair<std::string_view, DeviceState>, 5> kStates{{
        {"good", DeviceState::good},
        {"unregistered", DeviceState::unregistered},
        {"expired", DeviceState::expired},
        {"bad", DeviceState::bad},
        {"wrong_topic", DeviceState::wrong_topic},
    }};
    for (const auto& [text, state] : kStates) {
        if (text == name) return state;
    }
    return std::nullopt;
}

}  // namespace

struct ControlPage {
    uint16_t status = 200;
    std::string body = "{}";

    static ControlPage wrong(std::string_view why) {
        return {400, write_json([&](JsonWriter& json) {
                    json.begin_object().key("error").string(why).end_object();
                })};
    }
    static ControlPage absent() { return {404, R"({"error":"no such path; see apns_control.h"})"}; }
    static ControlPage entry(const LedgerEntry* entry) {
        if (entry == nullptr) return {404, R"({"error":"never seen"})"};
        return {200, write_json([&](JsonWriter& json) {
                    json.begin_object().key("received").number(entry->received);
                    json.key("accepted").number(entry->accepted);
                    json.key("first_ns").number(ns_of(entry->first));
                    json.key("last_ns").number(ns_of(entry->last)).end_object();
                })};
    }
};

namespace {

std::string show_ledger(SimApns& apns) {
    const ApnsLedger& ledger = apns.behavior().ledger();
    const ApnsLedger::Counts& counts = ledger.counts();
    return write_json([&](JsonWriter& json) {
        json.begin_object().key("requests").number(counts.requests);
        json.key("accepted").number(counts.accepted);
        json.key("refused").number(counts.refused);
        json.key("duplicates").number(counts.duplicates);
        json.key("duplicates_inexcusable").number(counts.duplicates_inexcusable);
        json.key("unprocessed").number(counts.unprocessed);
        json.key("expired_on_arrival").number(counts.expired_on_arrival);
        json.key("untracked").number(counts.untracked);
        json.key("pushes").number(ledger.pushes());
        json.key("pushes_accepted").number(ledger.pushes_accepted());
        json.key("devices").number(ledger.devices());
        json.key("connections").number(apns.connections_open());
        json.key("connections_made").number(apns.connections_made());
        json.key("handshakes_failed").number(apns.handshakes_failed());
        json.key("faults").number(apns.faults().struck());
        const ApnsTransportCounts transport = apns.transport_counts();
        json.key("pings").number(transport.pings);
        json.key("priority_frames").number(transport.priority_frames);
        json.key("resets").number(transport.resets);
        json.key("heads_too_large").number(transport.heads_too_large);
        json.key("streams_open_peak").number(transport.streams_open_peak);
        json.key("hpack_offences").number(transport.hpack_offences);
        json.key("reasons").begin_object();
        for (const auto& [reason, count] : ledger.reasons()) json.key(reason).number(count);
        json.end_object().end_object();
    });
}

std::string show_arrivals(SimApns& apns) {
    return write_json([&](JsonWriter& json) {
        json.begin_array();
        for (const Arrival& arrival : apns.behavior().ledger().arrivals()) {
            json.begin_object().key("monotonic_ns").number(ns_of(arrival.at.instant));
            json.key("unix_us").number(static_cast<uint64_t>(arrival.at.unix.us));
            json.key("connection").number(arrival.connection);
            json.key("status").number(arrival.status).key("reason").string(arrival.reason);
            json.key("method").string(arrival.method).key("path").string(arrival.path);
            json.key("fields").begin_object();
            for (const ArrivedField& field : arrival.fields) {
                json.key(field.name).string(field.value);
            }
            json.end_object().key("payload").string(arrival.payload).end_object();
        }
        json.end_array();
    });
}

ControlPage show(SimApns& apns, std::string_view path) {
    constexpr std::string_view kPushes = "/pushes/";
    constexpr std::string_view kDevices = "/devices/";
    const ApnsLedger& ledger = apns.behavior().ledger();
    if (path == "/ledger") return {200, show_ledger(apns)};
    if (path == "/arrivals") return {200, show_arrivals(apns)};
    if (path.starts_with(kPushes)) {
        return ControlPage::entry(ledger.find_push(path.substr(kPushes.size())));
    }
    if (path.starts_with(kDevices)) {
        return ControlPage::entry(ledger.find_device(path.substr(kDevices.size())));
    }
    return ControlPage::absent();
}

ControlPage reset(SimApns& apns, const dom::object&, Now) {
    apns.behavior().reset();
    apns.set_delay({});
    apns.set_clock_offset({});
    apns.set_stalled(false);
    apns.faults().clear();
    apns.reset_transport();
    static_cast<void>(apns.choose_tls("good"));
    return {};
}

ControlPage set_token(SimApns& apns, const dom::object& body, Now) {
    const auto state = to_state(string_in(body, "state"));
    const std::string_view token = string_in(body, "token");
    if (!state || token.empty()) return ControlPage::wrong("which token, in which state?");
    ApnsDevice device{.state = *state};
    if (!read_environment(body, device.is_sandbox))
        return ControlPage::wrong("sandbox or production?");
    if (const auto timestamp = number_in(body, "timestamp")) {
        device.timestamp_ms = static_cast<uint64_t>(*timestamp);
    }
    apns.behavior().set_device(token, device);
    return {};
}

ControlPage set_keys(SimApns& apns, const dom::object& body, Now) {
    ApnsKeyScope scope;
    if (!read_environment(body, scope.is_sandbox))
        return ControlPage::wrong("sandbox or production?");
    dom::array topics;
    if (body["topics"].get(topics) == simdjson::SUCCESS) {
        for (const dom::element topic : topics) {
            std::string_view text;
            if (topic.get(text) == simdjson::SUCCESS) scope.topics.emplace_back(text);
        }
    }
    apns.behavior().set_key_scope(scope);
    return {};
}

ControlPage set_delay(SimApns& apns, const dom::object& body, Now) {
    const auto ms = number_in(body, "ms");
    if (!ms || *ms < 0) return ControlPage::wrong("how many ms?");
    apns.set_delay(milliseconds(*ms));
    return {};
}

ControlPage set_failure(SimApns& apns, const dom::object& body, Now now) {
    const auto status = number_in(body, "status");
    if (!status || *status < 300 || *status > 599) return ControlPage::wrong("which status?");
    ApnsFailure failure;
    failure.status = static_cast<uint16_t>(*status);
    failure.reason = string_in(body, "reason");
    if (const auto requests = number_in(body, "for_requests")) {
        failure.requests = static_cast<uint64_t>(*requests);
    }
    if (const auto ms = number_in(body, "for_ms")) failure.until = now.instant + milliseconds(*ms);
    apns.behavior().set_failure(failure);
    return {};
}

ControlPage set_stalled(SimApns& apns, const dom::object& body, Now) {
    bool is_on = false;
    if (body["on"].get(is_on) != simdjson::SUCCESS) return ControlPage::wrong("on or not?");
    apns.set_stalled(is_on);
    return {};
}

ControlPage send_away(SimApns& apns, const dom::object& body, Now now) {
    const std::string_view reason = string_in(body, "reason");
    std::string debug =
        R"({"reason":")" + std::string(reason.empty() ? "Shutdown" : reason) + R"("})";
    if (body["body"].error() == simdjson::SUCCESS) debug = string_in(body, "body");
    const Duration notice = ms_in(body, "notice_ms");
    if (notice > Duration{}) {
        apns.goaway_slowly(debug, notice, now);
    } else {
        apns.goaway(debug);
    }
    return {};
}

ControlPage cut(SimApns& apns, const dom::object&, Now) {
    apns.cut();
    return {};
}

ControlPage freeze(SimApns& apns, const dom::object&, Now) {
    apns.freeze();
    return {};
}

ControlPage set_streams(SimApns& apns, const dom::object& body, Now) {
    const auto streams = number_in(body, "max");
    if (!streams || *streams < 0 || *streams > INT32_MAX) return ControlPage::wrong("how many?");
    apns.set_streams_max(static_cast<uint32_t>(*streams));
    return {};
}

ControlPage add_fault(SimApns& apns, const dom::object& body, Now now) {
    const auto kind = to_fault(string_in(body, "fault"));
    if (!kind) return ControlPage::wrong("which fault?");
    FaultRule rule;
    rule.device = string_in(body, "device");
    rule.skip = small_in(body, "skip", 0);
    rule.every = std::max(1U, small_in(body, "every", 1));
    if (const auto requests = number_in(body, "for_requests")) {
        rule.requests = static_cast<uint64_t>(*requests);
    }
    if (const auto ms = number_in(body, "for_ms")) rule.until = now.instant + milliseconds(*ms);
    rule.fault.kind = *kind;
    rule.fault.is_accepted = is_true(body, "accepted");
    rule.fault.status = static_cast<uint16_t>(std::min(999U, small_in(body, "status", 503)));
    rule.fault.reason = string_in(body, "reason");
    if (body["body"].error() == simdjson::SUCCESS) rule.fault.body = string_in(body, "body");
    rule.fault.retry_after = string_in(body, "retry_after");
    rule.fault.code = small_in(body, "code", 0);
    rule.fault.wait = ms_in(body, "ms");
    if (!apns.faults().add(rule)) return ControlPage::wrong("too many rules");
    return {};
}

ControlPage set_transport(SimApns& apns, const dom::object& body, Now) {
    apns.reset_transport();
    ApnsTransport& transport = apns.transport();
    Http2ServerOptions& http2 = transport.http2;
    if (const auto streams = number_in(body, "streams_max")) {
        http2.streams_max.reset();
        if (*streams >= 0) http2.streams_max = small_in(body, "streams_max", 1);
    }
    http2.header_table_size = small_in(body, "header_table_size", http2.header_table_size);
    http2.stream_window = small_in(body, "stream_window", http2.stream_window);
    http2.data_frame_max = small_in(body, "data_frame_max", http2.data_frame_max);
    http2.padding = small_in(body, "padding", 0);
    http2.acks_pings = is_true(body, "acks_pings", true);
    http2.grants_window = is_true(body, "grants_window", true);
    http2.inspects_hpack = is_true(body, "inspects_hpack");
    transport.handshake_delay = ms_in(body, "handshake_ms");
    transport.settings_delay = ms_in(body, "settings_ms");
    http2.is_silent = transport.settings_delay > Duration{};
    transport.closes_on_hello = is_true(body, "closes_on_hello");
    transport.refuses = is_true(body, "refuses");
    transport.dribbles = is_true(body, "dribbles");
    transport.says_date = is_true(body, "says_date");
    transport.says_trailers = is_true(body, "says_trailers");
    transport.ping_delay = ms_in(body, "ping_ms");
    if (transport.ping_delay > Duration{}) http2.acks_pings = false;
    http2.splits_heads = is_true(body, "splits_heads");
    return {};
}

ControlPage set_tls(SimApns& apns, const dom::object& body, Now) {
    if (!apns.choose_tls(string_in(body, "mode"))) return ControlPage::wrong("which mode?");
    return {};
}

ControlPage set_clock(SimApns& apns, const dom::object& body, Now) {
    const auto offset = number_in(body, "offset_s");
    if (!offset) return ControlPage::wrong("offset_s?");
    apns.set_clock_offset(seconds(*offset));
    return {};
}

struct Change {
    std::string_view path;
    ControlPage (*carry_out)(SimApns& apns, const dom::object& body, Now now);
};
constexpr std::array<Change, 14> kChanges{{{"/tokens", set_token},
                                           {"/keys", set_keys},
                                           {"/freeze", freeze},
                                           {"/cut", cut},
                                           {"/streams", set_streams},
                                           {"/faults", add_fault},
                                           {"/transport", set_transport},
                                           {"/tls", set_tls},
                                           {"/delay", set_delay},
                                           {"/fail", set_failure},
                                           {"/stall", set_stalled},
                                           {"/goaway", send_away},
                                           {"/clock", set_clock},
                                           {"/reset", reset}}};

ControlPage change(SimApns& apns, const http1::Request& request, Now now) {
    dom::parser parser;
    const std::string_view text = request.body.empty() ? "{}" : as_text(request.body);
    dom::object body;
    if (parser.parse(text.data(), text.size()).get(body) != simdjson::SUCCESS) {
        return ControlPage::wrong("the body must be a JSON object");
    }
    for (const Change& one : kChanges) {
        if (one.path == request.path) return one.carry_out(apns, body, now);
    }
    return ControlPage::absent();
}

}  // namespace

struct ApnsControl::Client {
    io::ConnId id;
    http1::Parser parser;
};

ApnsControl::ApnsControl(net::Loop& loop, SimApns& apns) : loop_(loop), apns_(apns) {}
ApnsControl::~ApnsControl() = default;

void ApnsControl::accept(io::ConnId id) {
    clients_.push_back(std::make_unique<Client>());
    clients_.back()->id = id;
}

void ApnsControl::forget(io::ConnId id) {
    std::erase_if(clients_, [&](const auto& client) { return client->id == id; });
}

void ApnsControl::receive(io::ConnId id, MutableBytes bytes, Now now) {
    const auto found = std::find_if(
        clients_.begin(), clients_.end(), [&](const auto& client) { return client->id == id; });
    if (found == clients_.end()) return;
    http1::Parser& parser = (*found)->parser;
    ByteView input = bytes;
    Buffer out(loop_.chunks());
    bool is_over = false;
    while (!is_over) {
        const http1::Step step = parser.next(input);
        if (step == http1::Step::need_more) break;
        if (step == http1::Step::send_continue) {
            http1::write_continue(out);
            continue;
        }
        ControlPage page;
        if (step == http1::Step::error) {
            page = {parser.error().status, ControlPage::wrong(parser.error().what).body};
            is_over = true;
        } else {
            page = carry_out(parser.request(), now);
            is_over = !parser.request().keep_alive;
        }
        http1::Response response;
        response.status = page.status;
        response.content_type = "application/json";
        response.body = page.body;
        response.keep_alive = !is_over;
        http1::write_response(response, {}, out);
        if (!is_over) parser.finish();
    }
    if (!out.is_empty()) loop_.send(id, out);
    if (!is_over) return;
    loop_.finish(id);
    forget(id);
}

ControlPage ApnsControl::carry_out(const http1::Request& request, Now now) {
    if (request.method == http1::Method::get) return show(apns_, request.path);
    if (request.method == http1::Method::post) return change(apns_, request, now);
    return {405, R"({"error":"only GET and POST"})"};
}

}  // namespace knuckle::mock
