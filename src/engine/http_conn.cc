// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/http_conn.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "engine/client_address.h"
#include "http1/response.h"

namespace knuckle::engine {

HttpConns::HttpConns(Core& core) : core_(core), conns_(core.options.connections_max) {}

HttpConns::~HttpConns() { KNUCKLE_ASSERT(conns_.count() == 0); }

void HttpConns::accept(io::ConnId id, size_t listener, const io::PeerAddress& peer, Now now) {
    HttpConn* const conn = core_.is_draining ? nullptr : conns_.take(core_.chunks);
    if (conn == nullptr) {
        core_.counters.connections_refused.add();
        core_.io.close(id);
        return;
    }
    core_.counters.connections_accepted.add();
    core_.counters.connections_open.set(conns_.count());
    conn->id = id;
    conn->peer = peer;
    conn->active = now.instant;
    conn->timer.owner = conn;
    conn->timer.kind = static_cast<uint8_t>(TimerKind::http_conn);
    const tls::Context* const context = core_.options.listeners[listener].tls;
    if (context != nullptr) {
        conn->tls = std::make_unique<tls::Engine>(*context, tls::EngineOptions{}, conn->sealed_out);
        conn->request_started = now.instant;
    }
    table_.attach(id, *conn);
    core_.timers.arm(conn->timer,
                     now.instant + std::min(core_.options.idle_timeout, kRequestTimeMax));
}

void HttpConns::remove(HttpConn& conn) {
    core_.timers.disarm(conn.timer);
    if (dirty_.contains(conn)) dirty_.erase(conn);
    if (resumable_.contains(conn)) resumable_.erase(conn);
    table_.detach(conn.id);
    conns_.give_back(conn);
    core_.counters.connections_open.set(conns_.count());
}

void HttpConns::feed(HttpConn& conn, ByteView bytes, Now now) {
    conn.active = now.instant;
    if (conn.is_ending) return;  // its last answer is given; what still arrives is nobody's
    if (conn.tls == nullptr) {
        conn.input = bytes;
        return;
    }
    conn.tls->feed(bytes);
    conn.input = {};
}

// Plaintext for the parser: the next record of a TLS connection. False when there is none.
bool HttpConns::refill(HttpConn& conn) {
    if (conn.tls == nullptr) return false;
    const MutableBytes room(core_.plaintext.data(), Core::kPlaintextSize);
    const Result<size_t> size = conn.tls->open(room);
    if (!conn.sealed_out.is_empty()) touch(conn);
    if (!size) {
        if (size.error().code != Errc::unavailable) core_.counters.tls_failures.add();
        conn.is_ending = true;
        touch(conn);
        return false;
    }
    if (*size == 0) return false;
    conn.input = room.first(*size);
    return true;
}

bool HttpConns::next_call(HttpConn& conn, api::Call& call, Now now) {
    for (;;) {
        // What is in the backlog comes before what has just arrived.
        if (conn.is_waiting || resumable_.contains(conn)) {
            keep_rest(conn);
            return false;
        }
        if (conn.is_ending || (conn.input.empty() && !refill(conn))) break;
        switch (conn.parser.next(conn.input)) {
            case http1::Step::need_more:
                continue;
            case http1::Step::send_continue:
                http1::write_continue(conn.plain_out);
                touch(conn);
                continue;
            case http1::Step::error: {
                const http1::ParseError error = conn.parser.error();
                core_.counters.requests_malformed.add();
                refuse(conn, error.status, error.what, now);
                return false;
            }
            case http1::Step::request:
                take_request(conn, call, now);
                return true;
        }
    }
    // A request that arrives in pieces has a deadline of its own.
    const bool is_in_request = conn.parser.is_in_request();
    if (is_in_request && !conn.is_in_request) {
        conn.request_started = now.instant;
        core_.timers.arm(conn.timer,
                         now.instant + std::min(core_.options.idle_timeout, kRequestTimeMax));
    }
    conn.is_in_request = is_in_request;
    return false;
}

void HttpConns::take_request(HttpConn& conn, api::Call& call, Now) {
    const http1::Request& request = conn.parser.request();
    core_.counters.requests.add();
    conn.is_waiting = true;
    conn.is_in_request = false;
    ++conn.request;
    conn.client = client_of(conn.peer, request, core_.options.client_address);
    conn.is_head = request.method == http1::Method::head;
    conn.keep_alive = request.keep_alive && !core_.is_draining;
    core_.decoder.decode(request, call);
    conn.allow = call.allow;
}

// While a request is in our hands the bytes of the next one wait here.
void HttpConns::keep_rest(HttpConn& conn) {
    do {
        if (conn.input.empty()) continue;
        const size_t size = conn.backlog.empty() ? 0 : conn.backlog.size() - io::kReadPadding;
        conn.backlog.resize(size + conn.input.size() + io::kReadPadding);
        copy_bytes(conn.backlog.data() + size, conn.input);
        conn.input = {};
    } while (refill(conn));
    if (conn.backlog.size() > kBacklogPause) core_.io.pause(conn.id);
}

HttpConn* HttpConns::resume(Now now) {
    HttpConn* const conn = resumable_.pop_front();
    if (conn == nullptr) return nullptr;
    resumed_.swap(conn->backlog);
    conn->backlog.clear();
    if (conn->backlog.capacity() > kBacklogPause) conn->backlog = {};
    conn->input = ByteView(resumed_.data(), resumed_.size() - io::kReadPadding);
    conn->active = now.instant;
    core_.io.resume(conn->id);
    return conn;
}

HttpConn* HttpConns::find_waiting(Origin origin) const {
    HttpConn* const conn = table_.find(origin.conn);
    return conn != nullptr && conn->is_waiting && conn->request == origin.request ? conn : nullptr;
}

void HttpConns::answer(Origin origin, const api::Reply& reply, Now now) {
    HttpConn* const conn = find_waiting(origin);
    if (conn == nullptr) return;
    std::array<http1::Field, 4> fields;
    size_t count = 0;
    DecimalText retry_after;
    if (!conn->allow.empty()) {
        fields[count++] = {"Allow", conn->allow};
        fields[count++] = {"Vary", "Accept"};
    }
    if (reply.asks_for_token) fields[count++] = {"WWW-Authenticate", "Token"};
    if (reply.retry_after_seconds > 0) {
        fields[count++] = {"Retry-After", format_decimal(reply.retry_after_seconds, retry_after)};
    }
    http1::Response response;
    response.status = reply.status;
    response.content_type = reply.content_type;
    response.body = reply.body;
    response.fields = {fields.data(), count};
    respond(*conn, response, now);
}

void HttpConns::prepare_knock_reply(Origin origin, const api::Knock& knock) {
    if (HttpConn* const conn = find_waiting(origin)) api::encode_knock(knock, conn->knock_reply);
}

void HttpConns::answer_knock(Origin origin, Now now) {
    HttpConn* const conn = find_waiting(origin);
    if (conn == nullptr) return;
    const std::array<http1::Field, 2> fields = {http1::Field{"Allow", conn->allow},
                                                http1::Field{"Vary", "Accept"}};
    http1::Response response;
    response.status = 202;
    response.content_type = "application/json";
    response.body = conn->knock_reply;
    response.fields = fields;
    respond(*conn, response, now);
}

void HttpConns::respond(HttpConn& conn, const http1::Response& unbound, Now now) {
    http1::Response response = unbound;
    response.keep_alive = conn.keep_alive && !core_.is_draining;
    response.is_to_head = conn.is_head;
    http1::write_response(response, core_.http_date, conn.plain_out);
    conn.is_waiting = false;
    conn.is_ending |= !response.keep_alive;
    conn.active = now.instant;
    if (!conn.backlog.empty() && !conn.is_ending) resumable_.push_back(conn);
    touch(conn);
}

// For what is no request at all: one clear answer, then the end.
void HttpConns::refuse(HttpConn& conn, uint16_t status, std::string_view why, Now now) {
    conn.keep_alive = false;
    conn.is_head = false;
    const api::Reply reply = api::malformed(status, why);
    http1::Response response;
    response.status = reply.status;
    response.content_type = reply.content_type;
    response.body = reply.body;
    respond(conn, response, now);
}

void HttpConns::touch(HttpConn& conn) {
    if (!dirty_.contains(conn)) dirty_.push_back(conn);
}

void HttpConns::flush() {
    while (HttpConn* const conn = dirty_.pop_front()) flush(*conn);
}

void HttpConns::flush(HttpConn& conn) {
    if (conn.tls != nullptr) {
        if (!conn.plain_out.is_empty() && conn.tls->is_ready() && !conn.tls->seal(conn.plain_out))
            conn.is_ending = true;
        if (conn.is_ending) conn.tls->close();
        if (!conn.sealed_out.is_empty()) core_.io.send(conn.id, conn.sealed_out);
    } else if (!conn.plain_out.is_empty()) {
        core_.io.send(conn.id, conn.plain_out);
    }
    if (conn.is_ending) {
        core_.io.finish(conn.id);
        remove(conn);
    } else if (core_.io.unsent(conn.id) > kUnsentMax) {
        core_.io.close(conn.id);
        remove(conn);
    }
}

void HttpConns::on_timer(HttpConn& conn, Now now) {
    const bool is_shaking_hands = conn.tls != nullptr && !conn.tls->is_ready();
    const bool is_slow = is_shaking_hands || (conn.is_in_request && !conn.is_waiting);
    Instant deadline = conn.active + core_.options.idle_timeout;
    if (is_slow) deadline = std::min(deadline, conn.request_started + kRequestTimeMax);
    if (conn.is_waiting && core_.io.unsent(conn.id) == 0)
        deadline = now.instant + core_.options.idle_timeout;
    if (deadline > now.instant) {
        core_.timers.arm(conn.timer, deadline);
        return;
    }
    if (conn.is_in_request && !is_shaking_hands) {
        refuse(conn, 408, "The request took too long to arrive.", now);
        return;
    }
    conn.is_ending = true;
    touch(conn);
}

void HttpConns::drain(Now) {
    conns_.for_each([this](HttpConn& conn) {
        conn.keep_alive = false;
        if (conn.is_waiting) return;
        conn.is_ending = true;
        touch(conn);
    });
}

void HttpConns::end() {
    conns_.for_each([this](HttpConn& conn) {
        conn.is_ending = true;
        touch(conn);
    });
    flush();
}

}  // namespace knuckle::engine
