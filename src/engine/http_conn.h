// SPDX-License-Identifier: GPL-3.0-or-later
// The connections of those who knock: bytes in, calls out; replies in, bytes out.
//
//     conns.accept(id, listener, peer, now)
//     conns.feed(conn, bytes, now)
//     while (conns.next_call(conn, call, now)) ...      decoded, to be carried out
//     conns.answer(origin, reply, now)      at once or many turns later; a stale origin is harmless
//     conns.resume(...)                      connections whose next request has already arrived
//     conns.flush(now)            once per turn: one write per connection that has something to say
//
// One request at a time per connection: what a client pipelines waits, up to kBacklogPause bytes
// beyond one read; then the connection is not read from until it is answered.
// Owner: engine::Worker.  Thread: its worker's.  Limits: options.connections_max; times below.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/command.h"
#include "base/buffer.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/timers.h"
#include "engine/conn_table.h"
#include "engine/core.h"
#include "http1/parser.h"
#include "io/io.h"
#include "tls/engine.h"

namespace knuckle::engine {

// From its first byte to its last, a request may take this long, and so may a TLS handshake.
inline constexpr Duration kRequestTimeMax = seconds(30);
inline constexpr size_t kBacklogPause = 16 * 1024;
// A client that lets more than this pile up unread is cut off.
inline constexpr size_t kUnsentMax = 8 * 1024 * 1024;

struct HttpConn {
    explicit HttpConn(ChunkPool& chunks) : plain_out(chunks), sealed_out(chunks) {}

    io::ConnId id;
    io::PeerAddress peer;
    io::PeerAddress client;  // who sent the request in our hands, as far as one can know
    Link dirty_link;         // has output, or is to be closed
    Link resume_link;        // was answered and has a backlog
    Timer timer;
    http1::Parser parser;
    std::unique_ptr<tls::Engine> tls;  // none on a plain listener
    Buffer plain_out;
    Buffer sealed_out;
    ByteView input;  // of this callback
    // arrived while a request was in our hands; kReadPadding spare bytes at its end
    std::vector<uint8_t> backlog;
    // the body for the 202 of the knock in our hands; its memory is reused
    std::string knock_reply;
    std::string_view allow;     // of the request in our hands
    Instant active{};           // last sign of life
    Instant request_started{};  // of one that is arriving in pieces
    uint32_t request = 0;       // the number of the request in our hands
    bool is_waiting = false;    // a request is in our hands
    bool is_head = false;
    bool keep_alive = true;
    bool is_ending = false;  // close when the output is flushed
    bool is_in_request = false;
};

class HttpConns {
public:
    explicit HttpConns(Core& core);
    ~HttpConns();
    HttpConns(const HttpConns&) = delete;
    HttpConns& operator=(const HttpConns&) = delete;

    void accept(io::ConnId id, size_t listener, const io::PeerAddress& peer, Now now);
    [[nodiscard]] HttpConn* find(io::ConnId id) { return table_.find(id); }
    void feed(HttpConn& conn, ByteView bytes, Now now);
    // The views in `call` live until call_done(), which follows each one that was carried out.
    [[nodiscard]] bool next_call(HttpConn& conn, api::Call& call, Now now);
    void call_done(HttpConn& conn) { conn.parser.finish(); }
    [[nodiscard]] Origin origin_of(const HttpConn& conn) const { return {conn.id, conn.request}; }
    // The peer is gone.
    void remove(HttpConn& conn);

    [[nodiscard]] bool is_waiting(Origin origin) const { return find_waiting(origin) != nullptr; }
    void answer(Origin origin, const api::Reply& reply, Now now);
    // A knock's 202 is prepared while the request is at hand and sent when it is settled.
    void prepare_knock_reply(Origin origin, const api::Knock& knock);
    void answer_knock(Origin origin, Now now);

    // The next connection that was answered and has more to be served, or nullptr; its input is its
    // backlog.
    [[nodiscard]] HttpConn* resume(Now now);
    [[nodiscard]] bool has_resumable() const { return !resumable_.is_empty(); }
    void flush();
    void on_timer(HttpConn& conn, Now now);
    // Ends what is idle, and everything else after its answer.
    void drain(Now now);
    // Ends everything, after the answers that are given.
    void end();
    [[nodiscard]] size_t count() const { return conns_.count(); }

private:
    [[nodiscard]] HttpConn* find_waiting(Origin origin) const;
    [[nodiscard]] bool refill(HttpConn& conn);
    void keep_rest(HttpConn& conn);
    void take_request(HttpConn& conn, api::Call& call, Now now);
    void respond(HttpConn& conn, const http1::Response& response, Now now);
    void refuse(HttpConn& conn, uint16_t status, std::string_view why, Now now);
    void touch(HttpConn& conn);
    void flush(HttpConn& conn);

    Core& core_;
    Pool<HttpConn> conns_;
    ConnTable<HttpConn> table_;
    List<HttpConn, &HttpConn::dirty_link> dirty_;
    List<HttpConn, &HttpConn::resume_link> resumable_;
    std::vector<uint8_t> resumed_;  // the backlog that is being served
};

}  // namespace knuckle::engine
