// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/sim_apns.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "http1/response.h"
#include "tests/mock/hpack_inspector.h"

namespace knuckle::mock {

namespace {

constexpr size_t kPlaintextSize = 16 * 1024;  // a TLS record
constexpr size_t kApnsListener = 0;

// Those of Apple's extensions; without any, the name's.
std::vector<std::string> topics_of(const tls::CertificateFacts& certificate) {
    if (!certificate.topics.empty()) return certificate.topics;
    const std::string& name = certificate.common_name;
    const size_t colon = name.rfind(": ");
    return {colon == std::string::npos ? name : name.substr(colon + 2)};
}

}  // namespace

struct SimApns::Connection {
    Connection(SimApns& owner, io::ConnId conn)
        : id(conn),
          plain(owner.loop_.chunks()),
          sealed(owner.loop_.chunks()),
          tls(*owner.tls_, {.shown = owner.demands_certificates_ ? &shown : nullptr}, sealed),
          http2(owner.transport_.http2),
          closes_on_hello(owner.transport_.closes_on_hello),
          dribbles(owner.transport_.dribbles),
          inspects_hpack(owner.transport_.http2.inspects_hpack) {}

    io::ConnId id;
    Buffer plain;
    Buffer sealed;
    std::vector<tls::CertificateFacts> shown;  // by the client
    tls::Engine tls;
    Http2Server http2;
    ApnsConnection apns;
    bool closes_on_hello;
    bool dribbles;
    bool inspects_hpack;
    bool is_frozen = false;
    bool is_dirty = false;
    bool is_leaving = false;  // GOAWAY was sent: ends with the last answer
    bool has_ended = false;   // the other end said goodbye or broke the protocol
};

// What will be done to a connection at its time.
struct SimApns::Later {
    enum class What : uint8_t { read, speak, leave, ack } what;
    io::ConnId conn;
    std::string debug = {};
};

// An answer that waits for its time, with copies of what it only views.
struct SimApns::DelayedAnswer {
    io::ConnId conn;
    int32_t stream;
    ApnsAnswer answer;
    std::string reason;
    std::string id;
    std::string unique_id;
};

SimApns::SimApns(net::Loop& loop, const tls::Context& tls, const SimApnsOptions& options)
    : loop_(loop),
      tls_(&tls),
      options_(options),
      behavior_(options.apns),
      control_(loop, *this),
      plaintext_(kPlaintextSize),
      delay_(options.delay) {
    reset_transport();
}

SimApns::~SimApns() = default;

void SimApns::on_accepted(io::ConnId id, size_t listener, const io::PeerAddress&, Now now) {
    if (listener != kApnsListener) {
        control_.accept(id);
        return;
    }
    if (transport_.refuses) {
        loop_.close(id);
        return;
    }
    connections_.push_back(std::make_unique<Connection>(*this, id));
    Connection& connection = *connections_.back();
    connection.apns.number = ++connections_made_;
    connection.apns.has_certificate = demands_certificates_;
    table_.attach(id, connection);
    if (is_stalled_) loop_.pause(id);
    if (transport_.handshake_delay > Duration{}) {
        loop_.pause(id);
        later_.emplace(now.instant + transport_.handshake_delay, Later{Later::What::read, id});
    }
    if (transport_.settings_delay > Duration{}) {
        later_.emplace(now.instant + transport_.settings_delay, Later{Later::What::speak, id});
    }
}

void SimApns::on_received(io::ConnId id, MutableBytes bytes, Now now) {
    if (Connection* const connection = table_.find(id)) {
        if (connection->closes_on_hello) {
            loop_.close(id);
            remove(*connection);
            return;
        }
        if (!receive(*connection, bytes, now)) {
            // A fault may have taken it away.
            if (table_.find(id) == nullptr) return;
            connection->has_ended = true;
        }
        touch(*connection);
    } else {
        control_.receive(id, bytes, now);
    }
}

// False: this connection is at its end.
bool SimApns::receive(Connection& connection, ByteView bytes, Now now) {
    connection.tls.feed(bytes);
    for (;;) {
        const Result<size_t> size = connection.tls.open(plaintext_);
        if (!size) {
            if (!connection.tls.is_ready()) ++handshakes_failed_;
            return false;
        }
        if (*size == 0) return true;
        // Who offers no protocol is taken for HTTP/1.1, which APNs does not speak.
        if (connection.tls.alpn() != "h2") return false;
        if (!connection.http2.feed({plaintext_.data(), *size})) return false;
        if (!connection.shown.empty()) {
            connection.apns.certificate_topics = topics_of(connection.shown.front());
            connection.shown.clear();
        }
        if (transport_.ping_delay > Duration{} && connection.http2.pings_unanswered() > 0)
            later_.emplace(now.instant + transport_.ping_delay,
                           Later{Later::What::ack, connection.id});
        if (!take_requests(connection, now)) return false;
    }
}

bool SimApns::take_requests(Connection& connection, Now now) {
    Http2Request request;
    while (connection.http2.next_request(request)) {
        if (const Fault* const fault = faults_.choose(device_in(request.path), now.instant)) {
            if (!suffer(connection, request, *fault, now)) return false;
            continue;
        }
        const ApnsAnswer answer = behavior_.answer(request, connection.apns, shifted(now));
        if (options_.prints_arrivals) print(request, answer);
        if (delay_ == Duration{}) {
            respond(connection, request.stream, answer);
            continue;
        }
        answer_later(connection, request.stream, answer, now.instant + delay_);
    }
    return true;
}

void SimApns::answer_later(Connection& connection,
                           int32_t stream,
                           const ApnsAnswer& answer,
                           Instant when) {
    delayed_.emplace(when,
                     DelayedAnswer{connection.id,
                                   stream,
                                   answer,
                                   std::string(answer.reason),
                                   std::string(answer.id),
                                   std::string(answer.unique_id)});
}

// False: this connection is gone.
bool SimApns::suffer(Connection& connection,
                     const Http2Request& request,
                     const Fault& fault,
                     Now now) {
    if (fault.is_unprocessed()) behavior_.note_unprocessed();
    if (fault.is_fate_unknown()) behavior_.note_unknown(request, now);
    const bool is_accepted = fault.is_accepted || fault.kind == FaultKind::late;
    ApnsAnswer answer;
    if (fault.kind == FaultKind::answer) {
        answer =
            behavior_.refuse(request, connection.apns, fault.status, fault.name(), shifted(now));
    } else if (is_accepted && !fault.is_unprocessed()) {
        answer = behavior_.answer(request, connection.apns, shifted(now));
    }
    switch (fault.kind) {
        case FaultKind::answer:
            respond(connection, request.stream, answer, &fault);
            break;
        case FaultKind::late:
            answer_later(connection, request.stream, answer, now.instant + fault.wait);
            break;
        case FaultKind::silence:
            break;
        case FaultKind::reset:
            connection.http2.reset(request.stream, fault.code);
            break;
        case FaultKind::cut_answer:
            connection.http2.respond(request.stream, {.status = 200, .is_whole = false});
            static_cast<void>(connection.http2.drain(connection.plain));
            connection.http2.reset(request.stream, fault.code);
            break;
        case FaultKind::half_answer:
            respond(connection, request.stream, answer);
            break_off(connection);
            return false;
        case FaultKind::goaway:
            // Once; what came before the one that met it, and is complete only now, is refused.
            if (connection.is_leaving) {
                connection.http2.reset(request.stream, kRefusedStream);
            } else {
                leave(connection, std::max(request.stream - 2, 0), R"({"reason":"Shutdown"})");
            }
            break;
        case FaultKind::hang_up:
            loop_.close(connection.id);
            remove(connection);
            return false;
    }
    return true;
}

// What was said before goes out whole; of what comes next, half of the first frame's head.
void SimApns::break_off(Connection& connection) {
    Buffer last(loop_.chunks());
    static_cast<void>(connection.http2.drain(last));
    std::array<ByteView, 1> first;
    if (last.views(first) > 0) connection.plain.append(first[0].first(4));
    static_cast<void>(connection.tls.seal(connection.plain));
    loop_.send(connection.id, connection.sealed);
    loop_.finish(connection.id);
    remove(connection);
}

void SimApns::respond(Connection& connection,
                      int32_t stream,
                      const ApnsAnswer& answer,
                      const Fault* fault) {
    std::array<Http2Field, 4> fields;
    size_t count = 0;
    std::string date;
    fields[count++] = {"apns-id", answer.id};
    if (!answer.unique_id.empty()) fields[count++] = {"apns-unique-id", answer.unique_id};
    if (fault != nullptr && !fault->retry_after.empty()) {
        fields[count++] = {"retry-after", fault->retry_after};
    }
    if (transport_.says_date) {
        date = http1::format_http_date(shifted(loop_.now()).unix);
        fields[count++] = {"date", date};
    }
    std::array<char, 256> storage;
    const bool has_body = fault != nullptr && (fault->body || fault->reason.empty());
    constexpr Http2Field kTrailer{"x-served-by", "sim_apns"};
    connection.http2.respond(stream,
                             {.status = answer.status,
                              .fields = std::span(fields).first(count),
                              .body = has_body ? fault->text() : answer.body(storage),
                              .trailers = std::span(&kTrailer, transport_.says_trailers ? 1 : 0)});
    if (answer.streams_max) connection.http2.set_streams_max(*answer.streams_max);
    if (answer.ends_connection && !connection.is_leaving) {
        say_goodbye(connection, R"({"reason":"TooManyErrors"})");
    }
}

// Written at once: a request that is read between the decision and the frame would be answered,
// although the frame says that it was not seen.
void SimApns::say_goodbye(Connection& connection, std::string_view debug) {
    leave(connection, connection.http2.last_stream(), debug);
}

void SimApns::leave(Connection& connection, int32_t last_stream, std::string_view debug) {
    connection.http2.goaway(last_stream, 0, debug);
    static_cast<void>(connection.http2.drain(connection.plain));
    connection.is_leaving = true;
}

void SimApns::on_closed(io::ConnId id, Error, Now) {
    if (Connection* const connection = table_.find(id)) {
        remove(*connection);
    } else {
        control_.forget(id);
    }
}

void SimApns::on_deadline(Now now) {
    while (!delayed_.empty() && delayed_.begin()->first <= now.instant) {
        auto first = delayed_.extract(delayed_.begin());
        DelayedAnswer& waiting = first.mapped();
        Connection* const connection = table_.find(waiting.conn);
        if (connection == nullptr) continue;
        ApnsAnswer answer = waiting.answer;
        answer.reason = waiting.reason;
        answer.id = waiting.id;
        answer.unique_id = waiting.unique_id;
        respond(*connection, waiting.stream, answer);
        touch(*connection);
    }
    while (!later_.empty() && later_.begin()->first <= now.instant) {
        const auto first = later_.extract(later_.begin());
        Connection* const connection = table_.find(first.mapped().conn);
        if (connection == nullptr) continue;
        switch (first.mapped().what) {
            case Later::What::read:
                loop_.resume(connection->id);
                break;
            case Later::What::speak:
                connection->http2.speak();
                break;
            case Later::What::leave:
                say_goodbye(*connection, first.mapped().debug);
                say_goodbye(*connection, first.mapped().debug);
                break;
            case Later::What::ack:
                connection->http2.ack_pings();
                break;
        }
        touch(*connection);
    }
}

Instant SimApns::next_deadline() const {
    if (is_stalled_) return kNever;
    const Instant answer = delayed_.empty() ? kNever : delayed_.begin()->first;
    const Instant other = later_.empty() ? kNever : later_.begin()->first;
    return std::min(answer, other);
}

void SimApns::before_wait(Now) {
    for (const std::vector<Connection*> touched = std::exchange(dirty_, {});
         Connection* const connection : touched) {
        connection->is_dirty = false;
        flush(*connection);
    }
}

void SimApns::touch(Connection& connection) {
    if (connection.is_dirty) return;
    connection.is_dirty = true;
    dirty_.push_back(&connection);
}

void SimApns::flush(Connection& connection) {
    if (is_stalled_ || connection.is_frozen) return;
    const bool is_broken = !connection.http2.drain(connection.plain);
    if (connection.tls.is_ready() && !connection.plain.is_empty()) seal(connection);
    const bool is_over =
        is_broken || connection.has_ended || (connection.is_leaving && connection.http2.is_over());
    if (is_over) connection.tls.close();
    if (!connection.sealed.is_empty()) loop_.send(connection.id, connection.sealed);
    if (!is_over) return;
    loop_.finish(connection.id);
    remove(connection);
}

void SimApns::seal(Connection& connection) {
    if (!connection.dribbles) {
        static_cast<void>(connection.tls.seal(connection.plain));
        return;
    }
    while (!connection.plain.is_empty()) {
        std::array<ByteView, 1> first;
        static_cast<void>(connection.plain.views(first));
        Buffer one(loop_.chunks());
        one.append(first[0].first(1));
        connection.plain.consume(1);
        static_cast<void>(connection.tls.seal(one));
    }
}

void SimApns::remove(Connection& connection) {
    add_counts(connection, counts_of_ended_);
    table_.detach(connection.id);
    if (connection.is_dirty) std::erase(dirty_, &connection);
    std::erase_if(connections_, [&](const auto& each) { return each.get() == &connection; });
}

void SimApns::set_stalled(bool is_stalled) {
    is_stalled_ = is_stalled;
    for (const auto& connection : connections_) {
        if (is_stalled) {
            loop_.pause(connection->id);
        } else if (!connection->is_frozen) {
            loop_.resume(connection->id);
            touch(*connection);
        }
    }
}

void SimApns::goaway(std::string_view debug) {
    for (const auto& connection : connections_) {
        say_goodbye(*connection, debug);
        touch(*connection);
    }
}

void SimApns::goaway_slowly(std::string_view debug, Duration notice, Now now) {
    for (const auto& connection : connections_) {
        connection->http2.goaway(INT32_MAX, 0, {});
        later_.emplace(now.instant + notice,
                       Later{Later::What::leave, connection->id, std::string(debug)});
        touch(*connection);
    }
}

void SimApns::cut() {
    while (!connections_.empty()) {
        loop_.close(connections_.back()->id);
        remove(*connections_.back());
    }
}

void SimApns::freeze() {
    for (const auto& connection : connections_) {
        connection->is_frozen = true;
        loop_.pause(connection->id);
    }
}

void SimApns::set_streams_max(uint32_t streams_max) {
    for (const auto& connection : connections_) {
        connection->http2.set_streams_max(streams_max);
        touch(*connection);
    }
}

void SimApns::reset_transport() {
    transport_ = {};
    transport_.http2.streams_max = kStreamsBeforeToken;
    transport_.http2.checks_messages = !options_.is_fast;
}

bool SimApns::choose_tls(std::string_view mode) {
    const auto found = faces_.find(mode);
    if (found == faces_.end()) return false;
    tls_ = found->second;
    demands_certificates_ = mode == kDemandsCertificate;
    return true;
}

ApnsTransportCounts SimApns::transport_counts() const {
    ApnsTransportCounts counts = counts_of_ended_;
    for (const auto& connection : connections_) add_counts(*connection, counts);
    return counts;
}

void SimApns::add_counts(const Connection& connection, ApnsTransportCounts& counts) {
    const Http2Server::Counters& counters = connection.http2.counters();
    counts.pings += counters.pings;
    counts.priority_frames += counters.priority_frames;
    counts.resets += counters.resets;
    counts.heads_too_large += counters.heads_too_large;
    counts.streams_open_peak =
        std::max<uint64_t>(counts.streams_open_peak, counters.streams_open_peak);
    if (!connection.inspects_hpack) return;
    for (const std::string_view name : {":path", "authorization"}) {
        counts.hpack_offences += connection.http2.hpack().insertions(name);
    }
    // The first may enter (providers.md A.5).
    for (const std::string_view name : {"apns-id", "apns-expiration", "apns-collapse-id"}) {
        const size_t insertions = connection.http2.hpack().insertions(name);
        counts.hpack_offences += insertions > 1 ? insertions - 1 : 0;
    }
}

// For the eyes of whoever runs the demo.
void SimApns::print(const Http2Request& request, const ApnsAnswer& answer) const {
    const auto text = [](std::string_view view) { return static_cast<int>(view.size()); };
    const std::string_view body = as_text(request.body);
    std::printf("push %.*s %.*s: %.*s\n",
                text(request.field("apns-push-type")),
                request.field("apns-push-type").data(),
                text(answer.reason.empty() ? "accepted" : answer.reason),
                answer.reason.empty() ? "accepted" : answer.reason.data(),
                text(body),
                body.data());
    std::fflush(stdout);
}

}  // namespace knuckle::mock
