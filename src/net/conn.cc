// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/conn.h"

#include <array>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <vector>

#include "base/assert.h"
#include "net/loop_state.h"

namespace knuckle::net {

namespace {

// As many pieces as one write takes; a turn's output is rarely more than one.
constexpr size_t kVectorsMax = 16;

void release(Conn& conn) {
    KNUCKLE_ASSERT(conn.joins > 0);
    if (--conn.joins > 0) return;
    Loop::State& loop = *conn.loop;
    delete conn.unsent;
    if (conn.dial != nullptr) {
        uv_freeaddrinfo(conn.dial->addresses);
        delete conn.dial;
    }
    loop.conns.give_back(conn);
}

void on_handle_closed(uv_handle_t* handle) { release(*static_cast<Conn*>(handle->data)); }

// The connection ended by itself: tell the handler, once, and close.
void report_closed(Conn& conn, const char* what, int uv_error) {
    if (conn.phase == Conn::Phase::open) {
        Loop::State& loop = *conn.loop;
        const io::ConnId id = loop.id_of(conn);
        loop.handler->on_closed(id, fail(Errc::unavailable, what, -uv_error), loop.read_clock());
        if (loop.find(id) == nullptr) return;  // the handler closed it itself
    }
    close(conn);
}

void on_alloc(uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    Loop::State& loop = *static_cast<Conn*>(handle->data)->loop;
    *buffer = uv_buf_init(loop.read_buffer.data(), io::kReadBufferSize);
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
    Conn& conn = *static_cast<Conn*>(stream->data);
    if (size == 0) return;
    if (size < 0) {
        report_closed(conn,
                      size == UV_EOF ? "the peer closed the connection" : "the connection broke",
                      size == UV_EOF ? 0 : static_cast<int>(size));
        return;
    }
    if (conn.phase != Conn::Phase::open) return;  // finishing: what still arrives is discarded
    Loop::State& loop = *conn.loop;
    const MutableBytes bytes(reinterpret_cast<uint8_t*>(buffer->base), static_cast<size_t>(size));
    loop.handler->on_received(loop.id_of(conn), bytes, loop.read_clock());
}

uv_buf_t to_vector(ByteView view) {
    // libuv's type has no const, but a write does not change what it sends.
    return uv_buf_init(reinterpret_cast<char*>(const_cast<uint8_t*>(view.data())),
                       static_cast<unsigned>(view.size()));
}

void write_unsent(Conn& conn);

void on_written(uv_write_t* write, int status) {
    Conn& conn = *static_cast<Conn*>(write->data);
    Unsent& unsent = *conn.unsent;
    unsent.in_flight.clear();
    if (status == 0 && !unsent.queued.is_empty() && conn.phase != Conn::Phase::closing) {
        unsent.in_flight.splice(unsent.queued);
        write_unsent(conn);
    } else {
        // All sent; or the write failed and the reading side will report the end.
        delete conn.unsent;
        conn.unsent = nullptr;
        if (conn.phase == Conn::Phase::finishing) finish(conn);
    }
    release(conn);
}

void write_unsent(Conn& conn) {
    std::vector<uv_buf_t> vectors;
    conn.unsent->in_flight.for_each_view(
        [&](ByteView view) { vectors.push_back(to_vector(view)); });
    conn.unsent->write.data = &conn;
    ++conn.joins;
    const int error = uv_write(&conn.unsent->write,
                               &conn.uv.stream,
                               vectors.data(),
                               static_cast<unsigned>(vectors.size()),
                               on_written);
    if (error == 0) return;
    // The reading side reports the end.
    --conn.joins;
    delete conn.unsent;
    conn.unsent = nullptr;
}

void on_shut_down(uv_shutdown_t* shutdown, int) {
    Conn& conn = *static_cast<Conn*>(shutdown->data);
    delete shutdown;
    release(conn);
}

}  // namespace

void start_reading(Conn& conn) {
    if (conn.is_paused || (conn.phase != Conn::Phase::open && conn.phase != Conn::Phase::finishing))
        return;
    uv_read_start(&conn.uv.stream, on_alloc, on_read);
}

void send(Conn& conn, Buffer& bytes) {
    if (conn.phase != Conn::Phase::open) {
        bytes.clear();
        return;
    }
    if (conn.unsent != nullptr) {
        conn.unsent->queued.splice(bytes);
        return;
    }
    while (!bytes.is_empty()) {
        std::array<ByteView, kVectorsMax> views;
        std::array<uv_buf_t, kVectorsMax> vectors;
        const size_t count = bytes.views(views);
        for (size_t i = 0; i < count; ++i) vectors[i] = to_vector(views[i]);
        const int written =
            uv_try_write(&conn.uv.stream, vectors.data(), static_cast<unsigned>(count));
        if (written == UV_EAGAIN) break;
        if (written < 0) {
            bytes.clear();  // the reading side reports the end
            return;
        }
        bytes.consume(static_cast<size_t>(written));
    }
    if (bytes.is_empty()) return;
    conn.unsent = new Unsent(conn.loop->chunks);
    conn.unsent->in_flight.splice(bytes);
    write_unsent(conn);
}

void finish(Conn& conn) {
    if (conn.phase != Conn::Phase::open && conn.phase != Conn::Phase::finishing) {
        close(conn);
        return;
    }
    Loop::State& loop = *conn.loop;
    if (conn.phase == Conn::Phase::open) {
        conn.phase = Conn::Phase::finishing;
        --loop.conns_open;
        if (loop.lingering.count() >= kLingeringMax) {
            close(conn);
            return;
        }
        conn.linger_deadline = loop.read_clock().instant + kLingerTime;
        loop.lingering.push_back(conn);
        conn.is_paused = false;
        start_reading(conn);
    }
    if (conn.unsent != nullptr) return;  // on_written() comes back here
    auto* const shutdown = new uv_shutdown_t;
    shutdown->data = &conn;
    ++conn.joins;
    if (uv_shutdown(shutdown, &conn.uv.stream, on_shut_down) != 0) {
        delete shutdown;
        --conn.joins;
        close(conn);
    }
}

void close(Conn& conn) {
    if (conn.phase == Conn::Phase::closing) return;
    Loop::State& loop = *conn.loop;
    if (conn.phase != Conn::Phase::finishing) --loop.conns_open;
    if (loop.lingering.contains(conn)) loop.lingering.erase(conn);
    conn.phase = Conn::Phase::closing;
    if (conn.dial != nullptr && conn.dial->resolve.data != nullptr) {
        uv_cancel(reinterpret_cast<uv_req_t*>(&conn.dial->resolve));
    }
    // While a failed address is being closed its callback goes on to here by itself.
    if (!uv_is_closing(&conn.uv.handle)) uv_close(&conn.uv.handle, on_handle_closed);
}

namespace {

void try_next_address(Conn& conn);

// libuv wants a new handle for each attempt, so the failed one is closed first; its callback goes
// on with the next address or reports that there is none left.
void dial_failed(Conn& conn, const char* what, int error) {
    conn.dial->failure = fail(Errc::unavailable, what, -error);
    uv_close(&conn.uv.handle, [](uv_handle_t* handle) {
        Conn& again = *static_cast<Conn*>(handle->data);
        Loop::State& loop = *again.loop;
        if (again.phase == Conn::Phase::dialing && again.dial->next != nullptr) {
            uv_tcp_init(&loop.uv, &again.uv.tcp);
            try_next_address(again);
            return;
        }
        if (again.phase == Conn::Phase::dialing) {
            loop.handler->on_closed(loop.id_of(again), again.dial->failure, loop.read_clock());
            if (again.phase == Conn::Phase::dialing) close(again);
        }
        release(again);
    });
}

// What the peer's kernel does not acknowledge in this time breaks the connection, instead of after
// the quarter of an hour that TCP would try; and a connection without traffic is kept in the tables
// of the routers on its way. A failure leaves what the system does by itself.
void watch_link(Conn& conn) {
    uv_os_fd_t fd = -1;
    if (uv_fileno(&conn.uv.handle, &fd) != 0) return;
    const auto unacknowledged_max = static_cast<unsigned>(to_ms(kUnacknowledgedMax));
    static_cast<void>(::setsockopt(
        fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_max, sizeof unacknowledged_max));
    uv_tcp_keepalive(&conn.uv.tcp, 1, static_cast<unsigned>(to_seconds(kKeepAliveAfter)));
}

void on_connected(uv_connect_t* connect, int status) {
    Conn& conn = *static_cast<Conn*>(connect->data);
    if (conn.phase == Conn::Phase::closing) {
        release(conn);
        return;
    }
    --conn.joins;  // cannot be the last: the open handle holds one
    if (status != 0) {
        dial_failed(conn, "cannot connect", status);
        return;
    }
    conn.phase = Conn::Phase::open;
    uv_freeaddrinfo(conn.dial->addresses);
    delete conn.dial;
    conn.dial = nullptr;
    if (!conn.is_unix) {
        uv_tcp_nodelay(&conn.uv.tcp, 1);
        watch_link(conn);
    }
    start_reading(conn);
    Loop::State& loop = *conn.loop;
    loop.handler->on_connected(loop.id_of(conn), loop.read_clock());
}

void try_next_address(Conn& conn) {
    Dial& dial = *conn.dial;
    sockaddr* const address = dial.next->ai_addr;
    dial.next = dial.next->ai_next != nullptr ? dial.next->ai_next : dial.addresses;
    if (dial.next == dial.first) dial.next = nullptr;
    if (address->sa_family == AF_INET6) {
        reinterpret_cast<sockaddr_in6*>(address)->sin6_port = htons(dial.port);
    } else {
        reinterpret_cast<sockaddr_in*>(address)->sin_port = htons(dial.port);
    }
    dial.connect.data = &conn;
    ++conn.joins;
    const int error = uv_tcp_connect(&dial.connect, &conn.uv.tcp, address, on_connected);
    if (error != 0) {
        --conn.joins;
        dial_failed(conn, "cannot connect", error);
    }
}

// Each dial begins with another address, so that one that swallows packets (IPv6 without a route,
// often) does not take the whole time of every dial.
addrinfo* choose_first(addrinfo* addresses, uint32_t dial_number) {
    uint32_t count = 0;
    for (const addrinfo* each = addresses; each != nullptr; each = each->ai_next) ++count;
    addrinfo* chosen = addresses;
    for (uint32_t i = dial_number % count; i > 0; --i) chosen = chosen->ai_next;
    return chosen;
}

void on_resolved(uv_getaddrinfo_t* resolve, int status, addrinfo* addresses) {
    Conn& conn = *static_cast<Conn*>(resolve->data);
    resolve->data = nullptr;
    conn.dial->addresses = addresses;
    if (conn.phase == Conn::Phase::closing) {
        release(conn);
        return;
    }
    --conn.joins;
    if (status != 0 || addresses == nullptr) {
        dial_failed(conn, "cannot resolve the host name", status);
        return;
    }
    conn.dial->first = conn.dial->next = choose_first(addresses, conn.loop->dials++);
    try_next_address(conn);
}

}  // namespace

void dial(Conn& conn, const io::Endpoint& endpoint) {
    conn.dial = new Dial;
    conn.dial->port = endpoint.port;
    ++conn.joins;
    if (endpoint.is_unix()) {
        conn.dial->connect.data = &conn;
        uv_pipe_connect(
            &conn.dial->connect, &conn.uv.pipe, endpoint.unix_path.c_str(), on_connected);
        return;
    }
    // A literal address takes the same way: the resolver answers it without asking anybody.
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    conn.dial->resolve.data = &conn;
    const int error = uv_getaddrinfo(
        &conn.loop->uv, &conn.dial->resolve, on_resolved, endpoint.host.c_str(), nullptr, &hints);
    if (error != 0) {  // not a host name at all
        conn.dial->resolve.data = nullptr;
        --conn.joins;
        dial_failed(conn, "cannot resolve the host name", error);
    }
}

}  // namespace knuckle::net
