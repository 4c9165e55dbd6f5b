// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/admin.h"

#include "http1/response.h"

namespace knuckle::app {

Admin::Admin(net::Loop& loop, Source source, Tick tick, void* context)
    : loop_(loop), source_(source), tick_(tick), context_(context), conns_(kAdminConnectionsMax) {}

Admin::~Admin() {
    conns_.for_each([this](Conn& conn) { remove(conn); });
}

void Admin::on_accepted(io::ConnId id, size_t, const io::PeerAddress&, Now now) {
    Conn* const conn = conns_.take();
    if (conn == nullptr) {
        loop_.close(id);
        return;
    }
    conn->id = id;
    conn->asked = now.instant;
    by_age_.push_back(*conn);
    table_.attach(id, *conn);
}

void Admin::on_connected(io::ConnId, Now) {}

void Admin::on_received(io::ConnId id, MutableBytes bytes, Now now) {
    Conn* const conn = table_.find(id);
    if (conn == nullptr) return;
    ByteView input = bytes;
    for (;;) {
        switch (conn->parser.next(input)) {
            case http1::Step::need_more:
                return;
            case http1::Step::send_continue: {
                Buffer out(loop_.chunks());
                http1::write_continue(out);
                loop_.send(id, out);
                break;
            }
            case http1::Step::request:
                if (!answer(*conn, now)) return;
                break;
            case http1::Step::error:
                refuse(*conn);
                return;
        }
    }
}

// False when it was the last one on this connection.
bool Admin::answer(Conn& conn, Now now) {
    conn.asked = now.instant;
    by_age_.erase(conn);
    by_age_.push_back(conn);
    const http1::Request& request = conn.parser.request();
    const bool is_read =
        request.method == http1::Method::get || request.method == http1::Method::head;
    Page page;
    if (is_read) {
        page = source_(context_, request.path, request.query);
    } else {
        page.status = 405;
        page.body = "Only GET and HEAD.\n";
    }
    const http1::Field allow{"Allow", "GET, HEAD"};
    http1::Response response;
    response.status = page.status;
    response.content_type = page.content_type;
    response.body = page.body;
    if (!is_read) response.fields = {&allow, 1};
    response.keep_alive = request.keep_alive;
    response.is_to_head = request.method == http1::Method::head;
    Buffer out(loop_.chunks());
    http1::write_response(response, http1::format_http_date(now.unix), out);
    loop_.send(conn.id, out);
    if (response.keep_alive && loop_.unsent(conn.id) <= kAdminUnsentMax) {
        conn.parser.finish();
        return true;
    }
    loop_.finish(conn.id);
    remove(conn);
    return false;
}

void Admin::refuse(Conn& conn) {
    const http1::ParseError error = conn.parser.error();
    http1::Response response;
    response.status = error.status;
    response.content_type = "text/plain; charset=utf-8";
    response.body = error.what;
    response.keep_alive = false;
    Buffer out(loop_.chunks());
    http1::write_response(response, {}, out);
    loop_.send(conn.id, out);
    loop_.finish(conn.id);
    remove(conn);
}

void Admin::remove(Conn& conn) {
    by_age_.erase(conn);
    table_.detach(conn.id);
    conns_.give_back(conn);
}

void Admin::on_closed(io::ConnId id, Error, Now) {
    if (Conn* const conn = table_.find(id)) remove(*conn);
}

void Admin::on_deadline(Now now) {
    next_tick_ = now.instant + seconds(1);
    while (Conn* const conn = by_age_.front()) {
        if (now.instant - conn->asked < kAdminTimeout) break;
        loop_.close(conn->id);
        remove(*conn);
    }
    tick_(context_, now);
}

void Admin::before_wait(Now) {}

}  // namespace knuckle::app
