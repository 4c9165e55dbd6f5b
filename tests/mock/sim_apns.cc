// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/sim_apns.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace knuckle::mock {

namespace {

constexpr size_t kPlaintextSize = 16 * 1024;  // a TLS record
constexpr size_t kApnsListener = 0;

Http2ServerOptions http2_options(const SimApnsOptions& options) {
    Http2ServerOptions http2;
    http2.streams_max = kStreamsBeforeToken;
    http2.checks_messages = !options.is_fast;
    return http2;
}

}  // namespace

struct SimApns::Connection {
    Connection(SimApns& owner, io::ConnId conn)
        : id(conn),
          plain(owner.loop_.chunks()),
          sealed(owner.loop_.chunks()),
          tls(owner.tls_, {}, sealed),
          http2(http2_options(owner.options_)) {}

    io::ConnId id;
    Buffer plain;
    Buffer sealed;
    tls::Engine tls;
    Http2Server http2;
    ApnsConnection apns;
    bool is_dirty = false;
    bool is_leaving = false;  // GOAWAY was sent: ends with the last answer
    bool has_ended = false;   // the other end said goodbye or broke the protocol
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
      tls_(tls),
      options_(options),
      behavior_(options.apns),
      control_(loop, *this),
      plaintext_(kPlaintextSize),
      delay_(options.delay) {}

SimApns::~SimApns() = default;

void SimApns::on_accepted(io::ConnId id, size_t listener, const io::PeerAddress&, Now) {
    if (listener != kApnsListener) {
        control_.accept(id);
        return;
    }
    connections_.push_back(std::make_unique<Connection>(*this, id));
    Connection& connection = *connections_.back();
    connection.apns.number = ++connections_made_;
    table_.attach(id, connection);
    if (is_stalled_) loop_.pause(id);
}

void SimApns::on_received(io::ConnId id, MutableBytes bytes, Now now) {
    if (Connection* const connection = table_.find(id)) {
        if (!receive(*connection, bytes, now)) connection->has_ended = true;
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
        take_requests(connection, now);
    }
}

void SimApns::take_requests(Connection& connection, Now now) {
    Http2Request request;
    while (connection.http2.next_request(request)) {
        const ApnsAnswer answer = behavior_.answer(request, connection.apns, shifted(now));
        if (options_.prints_arrivals) print(request, answer);
        if (delay_ == Duration{}) {
            respond(connection, request.stream, answer);
            continue;
        }
        delayed_.emplace(now.instant + delay_,
                         DelayedAnswer{connection.id,
                                       request.stream,
                                       answer,
                                       std::string(answer.reason),
                                       std::string(answer.id),
                                       std::string(answer.unique_id)});
    }
}

void SimApns::respond(Connection& connection, int32_t stream, const ApnsAnswer& answer) {
    std::array<Http2Field, 2> fields;
    size_t count = 0;
    fields[count++] = {"apns-id", answer.id};
    if (!answer.unique_id.empty()) fields[count++] = {"apns-unique-id", answer.unique_id};
    std::array<char, 256> storage;
    connection.http2.respond(stream,
                             {.status = answer.status,
                              .fields = std::span(fields).first(count),
                              .body = answer.body(storage)});
    if (answer.streams_max) connection.http2.set_streams_max(*answer.streams_max);
    if (answer.ends_connection && !connection.is_leaving) {
        say_goodbye(connection, R"({"reason":"TooManyErrors"})");
    }
}

// Written at once: a request that is read between the decision and the frame would be answered,
// although the frame says that it was not seen.
void SimApns::say_goodbye(Connection& connection, std::string_view debug) {
    connection.http2.goaway(connection.http2.last_stream(), 0, debug);
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
}

Instant SimApns::next_deadline() const {
    return delayed_.empty() || is_stalled_ ? kNever : delayed_.begin()->first;
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
    if (is_stalled_) return;
    const bool is_broken = !connection.http2.drain(connection.plain);
    if (connection.tls.is_ready() && !connection.plain.is_empty()) {
        static_cast<void>(connection.tls.seal(connection.plain));
    }
    const bool is_over =
        is_broken || connection.has_ended || (connection.is_leaving && connection.http2.is_over());
    if (is_over) connection.tls.close();
    if (!connection.sealed.is_empty()) loop_.send(connection.id, connection.sealed);
    if (!is_over) return;
    loop_.finish(connection.id);
    remove(connection);
}

void SimApns::remove(Connection& connection) {
    table_.detach(connection.id);
    if (connection.is_dirty) std::erase(dirty_, &connection);
    std::erase_if(connections_, [&](const auto& each) { return each.get() == &connection; });
}

void SimApns::set_stalled(bool is_stalled) {
    is_stalled_ = is_stalled;
    for (const auto& connection : connections_) {
        if (is_stalled) {
            loop_.pause(connection->id);
        } else {
            loop_.resume(connection->id);
            touch(*connection);
        }
    }
}

void SimApns::goaway(std::string_view reason) {
    const std::string debug = R"({"reason":")" + std::string(reason) + R"("})";
    for (const auto& connection : connections_) {
        say_goodbye(*connection, debug);
        touch(*connection);
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
