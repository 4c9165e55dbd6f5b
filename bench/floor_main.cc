// SPDX-License-Identifier: GPL-3.0-or-later
// The floor: what a plain program does to perform a knock, to measure the gateway against. One
// libuv loop; a request is looked at just as far as its token; LMDB get; one nghttp2 stream on one
// TLS connection; the answer when APNs answered. It reconnects nothing, limits nothing and believes
// everything, so it is a probe and no gateway. It uses the gateway's pinned libraries but for TLS,
// which is the system's OpenSSL: the anchor of the published bars was measured with it.
//
//     floor --fill DIR --tokens N [--devices N]                   makes its database
//     floor --port P --apns P --store DIR [--tls --cert FILE --key FILE]
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <lmdb.h>
#include <nghttp2/nghttp2.h>
#include <uv.h>

#include "bench/arguments.h"
#include "bench/arrivals.h"
#include "bench/filled_store.h"
#include "bench/link.h"

namespace {

using namespace knuckle::bench;

constexpr size_t kTokenSize = 40;
constexpr size_t kDeviceSize = 64;
constexpr std::string_view kAccepted = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kNotFound = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kBadGateway = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";

void check(int code) {
    if (code != 0) throw std::runtime_error(mdb_strerror(code));
}

class Store {
public:
    Store(const std::string& directory, bool is_new) {
        std::filesystem::create_directories(directory);
        check(mdb_env_create(&env_));
        check(mdb_env_set_mapsize(env_, size_t{8} << 30));
        check(mdb_env_open(
            env_,
            directory.c_str(),
            is_new ? unsigned{MDB_NOSYNC} : unsigned{MDB_RDONLY | MDB_NORDAHEAD | MDB_NOTLS},
            0600));
        check(mdb_txn_begin(env_, nullptr, is_new ? 0 : unsigned{MDB_RDONLY}, &txn_));
        check(mdb_dbi_open(txn_, nullptr, 0, &tree_));
    }
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    ~Store() {
        if (txn_ != nullptr) mdb_txn_abort(txn_);
        mdb_env_close(env_);
    }

    void fill(uint64_t tokens, uint64_t devices) {
        for (uint64_t i = 0; i < tokens; ++i) {
            std::string token = token_text(i);
            std::string device = device_text(i % devices);
            MDB_val key{token.size(), token.data()};
            MDB_val value{device.size(), device.data()};
            check(mdb_put(txn_, tree_, &key, &value, 0));
        }
        check(mdb_txn_commit(std::exchange(txn_, nullptr)));
    }
    // Every page, so that no knock waits for the disk.
    void warm() {
        MDB_cursor* cursor = nullptr;
        check(mdb_cursor_open(txn_, tree_, &cursor));
        MDB_val key;
        MDB_val value;
        while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        }
        mdb_cursor_close(cursor);
        rest();
    }
    // One transaction for all look-ups of a turn of the loop.
    [[nodiscard]] bool find(std::string_view token, char* device) {
        if (!is_live_) check(mdb_txn_renew(txn_));
        is_live_ = true;
        MDB_val key{token.size(), const_cast<char*>(token.data())};
        MDB_val value;
        if (mdb_get(txn_, tree_, &key, &value) != 0) return false;
        std::memcpy(device, value.mv_data, kDeviceSize);
        return true;
    }
    void rest() {
        mdb_txn_reset(txn_);
        is_live_ = false;
    }

private:
    MDB_env* env_ = nullptr;
    MDB_txn* txn_ = nullptr;
    MDB_dbi tree_ = 0;
    bool is_live_ = true;
};

struct Client {
    uv_poll_t poll;
    Link link;
    size_t slot = 0;
    uint32_t generation = 0;
    bool is_up = false;
    std::string in;
};

struct Push {
    size_t slot;
    uint32_t generation;
    size_t sent;
    int status;
    std::array<char, kDeviceSize> device;
};

class Floor {
public:
    Floor(const Arguments& arguments)
        : store_(arguments.text("--store"), false), apns_tls_(TlsContext::client("h2")) {
        if (arguments.has("--tls")) {
            front_tls_.emplace(
                TlsContext::server(arguments.text("--cert"), arguments.text("--key"), ""));
        }
        store_.warm();
        jwt_ = "bearer " + std::string(36, 'h') + "." + std::string(80, 'c') + "." +
               std::string(86, 's');
        payload_ =
            R"({"aps":{"alert":{"title-loc-key":"NEW_MESSAGE","loc-key":"OPEN_APP_TO_READ"},)"
            R"("mutable-content":1,"sound":"default","badge":1},"k":")" +
            std::string(64, 'x') + "\"}";
        uv_loop_init(&loop_);
        dial(static_cast<uint16_t>(arguments.count("--apns", 0)));
        listener_ = listen_on(static_cast<uint16_t>(arguments.count("--port", 0)));
        uv_poll_init(&loop_, &accept_, listener_);
        accept_.data = this;
        uv_poll_start(&accept_, UV_READABLE, [](uv_poll_t* poll, int, int) {
            static_cast<Floor*>(poll->data)->accept();
        });
        uv_prepare_init(&loop_, &turn_);
        turn_.data = this;
        uv_prepare_start(&turn_,
                         [](uv_prepare_t* turn) { static_cast<Floor*>(turn->data)->end_turn(); });
    }
    Floor(const Floor&) = delete;
    Floor& operator=(const Floor&) = delete;

    void run() { uv_run(&loop_, UV_RUN_DEFAULT); }

private:
    void dial(uint16_t port) {
        apns_ = Link::connect(port, &apns_tls_);
        while (apns_.handshake() == Step::again) ::usleep(100);
        nghttp2_session_callbacks* callbacks = nullptr;
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_header_callback(
            callbacks,
            [](nghttp2_session* session,
               const nghttp2_frame* frame,
               const uint8_t* name,
               size_t name_size,
               const uint8_t* value,
               size_t,
               uint8_t,
               void*) {
                if (name_size != 7 || name[1] != 's') return 0;
                auto* const push = static_cast<Push*>(
                    nghttp2_session_get_stream_user_data(session, frame->hd.stream_id));
                if (push != nullptr) push->status = std::atoi(reinterpret_cast<const char*>(value));
                return 0;
            });
        nghttp2_session_callbacks_set_on_stream_close_callback(
            callbacks, [](nghttp2_session* session, int32_t id, uint32_t, void* self) {
                auto* const push =
                    static_cast<Push*>(nghttp2_session_get_stream_user_data(session, id));
                if (push != nullptr) static_cast<Floor*>(self)->settle(push);
                return 0;
            });
        nghttp2_session_client_new(&session_, callbacks, this);
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_submit_settings(session_, 0, nullptr, 0);
        has_work_ = true;
        uv_poll_init(&loop_, &apns_poll_, apns_.fd());
        apns_poll_.data = this;
        poll_apns(UV_READABLE);
    }
    void poll_apns(int events) {
        uv_poll_start(&apns_poll_, events, [](uv_poll_t* poll, int, int) {
            static_cast<Floor*>(poll->data)->read_apns();
        });
    }

    void accept() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            if (free_.empty()) {
                free_.push_back(clients_.size());
                clients_.push_back(nullptr);
            }
            auto* const client = new Client;
            client->slot = free_.back();
            client->generation = ++generation_;
            client->link = Link(fd, front_tls_ ? &*front_tls_ : nullptr);
            free_.pop_back();
            clients_[client->slot] = client;
            uv_poll_init(&loop_, &client->poll, fd);
            client->poll.data = client;
            uv_handle_set_data(reinterpret_cast<uv_handle_t*>(&client->poll), client);
            uv_poll_start(&client->poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
                auto* const owner = static_cast<Floor*>(poll->loop->data);
                owner->read(*static_cast<Client*>(poll->data));
            });
            loop_.data = this;
        }
    }

    void close(Client& client) {
        if (clients_[client.slot] != &client) return;
        clients_[client.slot] = nullptr;
        free_.push_back(client.slot);
        uv_poll_stop(&client.poll);
        uv_close(reinterpret_cast<uv_handle_t*>(&client.poll),
                 [](uv_handle_t* handle) { delete static_cast<Client*>(handle->data); });
    }

    void read(Client& client) {
        if (!client.is_up) {
            const Step step = client.link.handshake();
            if (step == Step::failed) close(client);
            if (step != Step::done) return;
            client.is_up = true;
        }
        for (;;) {
            const ssize_t size = client.link.read(bytes_);
            if (size < 0) close(client);
            if (size <= 0) return;
            std::string_view in(bytes_.data(), static_cast<size_t>(size));
            if (!client.in.empty()) {
                client.in += in;
                in = client.in;
            }
            const size_t begin = in.size();
            while (const size_t used = take(client, in)) in.remove_prefix(used);
            if (clients_[client.slot] != &client) return;
            if (client.in.empty()) {
                client.in.assign(in);
            } else {
                client.in.erase(0, begin - in.size());
            }
            if (static_cast<size_t>(size) < bytes_.size() && !client.link.has_more()) return;
        }
    }

    // The size of the request in front, 0 if it is not whole.
    size_t take(Client& client, std::string_view in) {
        const size_t head = in.find("\r\n\r\n");
        if (head == std::string_view::npos) return 0;
        const size_t field = in.find("ontent-Length: ");
        if (field == std::string_view::npos || field > head) return 0;
        const size_t size = head + 4 + std::strtoull(in.data() + field + 15, nullptr, 10);
        if (in.size() < size) return 0;
        const size_t name = in.find("\"token\":\"", head);
        Push* const push = new_push(client);
        if (name == std::string_view::npos || name + 9 + kTokenSize > size ||
            !store_.find(in.substr(name + 9, kTokenSize), push->device.data())) {
            idle_.push_back(push);
            answer(client, kNotFound);
        } else if (streams_ < streams_max()) {
            submit(push);
        } else {
            waiting_.push_back(push);
        }
        return size;
    }

    Push* new_push(const Client& client) {
        if (idle_.empty()) idle_.push_back(new Push);
        Push* const push = idle_.back();
        idle_.pop_back();
        push->slot = client.slot;
        push->generation = client.generation;
        push->sent = 0;
        push->status = 0;
        return push;
    }

    void answer(Client& client, std::string_view text) {
        if (client.link.write(text) != static_cast<ssize_t>(text.size())) close(client);
    }

    [[nodiscard]] uint32_t streams_max() const {
        return nghttp2_session_get_remote_settings(session_,
                                                   NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    }

    static nghttp2_nv field(std::string_view name,
                            std::string_view value,
                            unsigned flags = NGHTTP2_NV_FLAG_NO_COPY_VALUE) {
        const auto bytes = [](std::string_view text) {
            return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
        };
        return {bytes(name),
                bytes(value),
                name.size(),
                value.size(),
                static_cast<uint8_t>(NGHTTP2_NV_FLAG_NO_COPY_NAME | flags)};
    }

    void submit(Push* push) {
        std::array<char, 10 + kDeviceSize> path;
        std::memcpy(path.data(), "/3/device/", 10);
        std::memcpy(path.data() + 10, push->device.data(), kDeviceSize);
        const std::array<nghttp2_nv, 8> fields = {
            field(":method", "POST"),
            field(":scheme", "https"),
            field(":path", {path.data(), path.size()}, NGHTTP2_NV_FLAG_NO_INDEX),
            field(":authority", "api.push.test"),
            field("authorization", jwt_),
            field("apns-topic", "org.example.chat"),
            field("apns-push-type", "alert"),
            field("apns-priority", "10")};
        nghttp2_data_provider body;
        body.source.ptr = push;
        body.read_callback = [](nghttp2_session*,
                                int32_t,
                                uint8_t* into,
                                size_t size,
                                uint32_t* flags,
                                nghttp2_data_source* source,
                                void* self) -> ssize_t {
            auto* const owner = static_cast<Push*>(source->ptr);
            const std::string& payload = static_cast<Floor*>(self)->payload_;
            size = std::min(size, payload.size() - owner->sent);
            std::memcpy(into, payload.data() + owner->sent, size);
            owner->sent += size;
            if (owner->sent == payload.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
            return static_cast<ssize_t>(size);
        };
        nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &body, push);
        ++streams_;
        has_work_ = true;
    }

    void settle(Push* push) {
        --streams_;
        Client* const client = clients_[push->slot];
        if (client != nullptr && client->generation == push->generation) {
            answer(*client, push->status == 200 ? kAccepted : kBadGateway);
        }
        idle_.push_back(push);
        while (!waiting_.empty() && streams_ < streams_max()) {
            submit(waiting_.front());
            waiting_.pop_front();
        }
    }

    void read_apns() {
        has_work_ = true;
        for (;;) {
            const ssize_t size = apns_.read(bytes_);
            if (size < 0) throw std::runtime_error("APNs is gone");
            if (size == 0) return;
            nghttp2_session_mem_recv(session_,
                                     reinterpret_cast<const uint8_t*>(bytes_.data()),
                                     static_cast<size_t>(size));
            if (static_cast<size_t>(size) < bytes_.size() && !apns_.has_more()) return;
        }
    }

    // Before the loop sleeps: all that the turn made goes out in one write.
    void end_turn() {
        store_.rest();
        if (!has_work_) return;
        has_work_ = false;
        const uint8_t* bytes = nullptr;
        for (ssize_t size = 0; (size = nghttp2_session_mem_send(session_, &bytes)) > 0;) {
            out_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
        }
        size_t begin = 0;
        while (begin < out_.size()) {
            const ssize_t size = apns_.write(std::string_view(out_).substr(begin));
            if (size < 0) throw std::runtime_error("APNs is gone");
            if (size == 0) break;
            begin += static_cast<size_t>(size);
        }
        out_.erase(0, begin);
        if (is_blocked_ == !out_.empty()) return;
        is_blocked_ = !out_.empty();
        poll_apns(UV_READABLE | (is_blocked_ ? UV_WRITABLE : 0));
    }

    Store store_;
    TlsContext apns_tls_;
    std::optional<TlsContext> front_tls_;
    std::string jwt_;
    std::string payload_;
    uv_loop_t loop_;
    uv_poll_t accept_;
    uv_prepare_t turn_;
    int listener_ = -1;
    std::vector<Client*> clients_;
    std::vector<size_t> free_;
    uint32_t generation_ = 0;
    Link apns_;
    uv_poll_t apns_poll_;
    nghttp2_session* session_ = nullptr;
    bool has_work_ = false;
    bool is_blocked_ = false;
    std::string out_;
    uint32_t streams_ = 0;
    std::vector<Push*> idle_;
    std::deque<Push*> waiting_;
    std::array<char, 64 * 1024> bytes_;
};

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    try {
        const Arguments arguments(argc, argv);
        if (arguments.has("--fill")) {
            const uint64_t tokens = arguments.count("--tokens", 1'000'000);
            Store(arguments.text("--fill"), true)
                .fill(tokens, arguments.count("--devices", tokens));
            return 0;
        }
        take_all_descriptors();
        const auto floor = std::make_unique<Floor>(arguments);
        floor->run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "floor: %s\n", error.what());
        return 1;
    }
    return 0;
}
