// SPDX-License-Identifier: GPL-3.0-or-later
// The webhook against a receiver in memory, in virtual time.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "app/webhook.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "tests/support/certificates.h"
#include "tests/support/json_fields.h"
#include "tests/support/store_shelf.h"
#include "tests/support/tls_ends.h"

namespace knuckle::app {

namespace {

using store::Shelf;

// One connection at a time, and what was said on it.
struct Wire final : io::Io {
    io::ConnId connect(const io::Endpoint& endpoint) override {
        if (is_full) return {};
        asked_for = endpoint;
        is_open = true;
        said.clear();
        id = {3, id.generation + 1};
        ++connects;
        return id;
    }
    void send(io::ConnId to, Buffer& bytes) override {
        REQUIRE(to == id);
        REQUIRE(is_open);
        bytes.for_each_view([this](ByteView view) { said += as_text(view); });
        bytes.clear();
    }
    [[nodiscard]] size_t unsent(io::ConnId) const override { return 0; }
    void pause(io::ConnId) override {}
    void resume(io::ConnId) override {}
    void finish(io::ConnId) override { FAIL("who does not close would keep the connection"); }
    void close(io::ConnId which) override {
        if (which == id) is_open = false;
    }

    bool is_full = false;
    bool is_open = false;
    size_t connects = 0;
    io::ConnId id{3, 0};
    io::Endpoint asked_for;
    std::string said;
};

// A gateway with a log, a webhook, and somebody who receives.
class Scene {
public:
    Scene() { start(); }

    // The process begins anew; what was on disk is there.
    void start() {
        webhook_.reset();
        shelf.reopen();
        webhook_ = std::make_unique<Webhook>(
            options,
            wire,
            chunks_,
            shelf.reader(),
            [](void* self, store::Write&& write) {
                static_cast<Scene*>(self)->written.push_back(std::move(write));
                return true;
            },
            this,
            1);
    }
    void dies(const std::string& name) {
        const store::Device phone = store::a_device(anna, name);
        REQUIRE(shelf.write(store::CreateDevice{phone, 1'000}) == store::WriteStatus::done);
        REQUIRE(shelf.write(store::a_death(phone, now.unix)) == store::WriteStatus::done);
    }
    void passes(Duration time) {
        now = {now.instant + time, now.unix + time};
        if (webhook_->next_deadline() <= now.instant) webhook_->on_deadline(now);
    }
    // Until it wants to do something; how long that was.
    Duration waits() {
        const Duration time = std::max(webhook_->next_deadline() - now.instant, Duration{});
        passes(time);
        return time;
    }
    void connects() { webhook_->on_connected(wire.id, now); }
    void says(std::string bytes) {
        const size_t size = bytes.size();
        bytes.resize(size + io::kReadPadding);
        const MutableBytes view(reinterpret_cast<uint8_t*>(bytes.data()), size);
        webhook_->on_received(wire.id, view, now);
    }
    void hangs_up() {
        wire.is_open = false;
        webhook_->on_closed(wire.id, fail(Errc::unavailable, "gone"), now);
    }
    // A delivery from its beginning, answered with `status`; what was posted.
    std::string delivers(const std::string& status) {
        while (!wire.is_open) waits();
        connects();
        const std::string request = wire.said;
        says("HTTP/1.1 " + status + "\r\n\r\n");
        REQUIRE_FALSE(wire.is_open);
        return request.substr(request.find("\r\n\r\n") + 4);
    }
    // The commit thread's turn.
    void commits() {
        for (store::Write& write : written)
            REQUIRE(shelf.write(std::move(write.change)) == store::WriteStatus::done);
        written.clear();
    }
    [[nodiscard]] WebhookBacklog backlog() const {
        const auto backlog = webhook_->backlog(now.unix);
        REQUIRE(backlog);
        return *backlog;
    }
    [[nodiscard]] const WebhookCounts& counts() const { return webhook_->counts(); }

    Wire wire;
    WebhookOptions options{.endpoint = {"hooks.example.org", 443, {}},
                           .tls = nullptr,
                           .authority = "hooks.example.org",
                           .target = "/push?from=us",
                           .secret = "0123456789abcdef"};
    Shelf shelf;
    store::Account anna = shelf.has(store::an_account("anna"));
    std::vector<store::Write> written;
    Now now{.instant = {seconds(1'000).ns}, .unix = store::kNoon};

private:
    ChunkPool chunks_;
    std::unique_ptr<Webhook> webhook_;
};

size_t count_events(const std::string& body) { return test::json_elements(body, "/events").size(); }

std::string field(const std::string& request, const std::string& name) {
    const size_t at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return request.substr(begin, request.find("\r\n", begin) - begin);
}

}  // namespace

TEST_CASE("nothing is sent while nothing has happened", "[app][webhook]") {
    Scene scene;
    for (int i = 0; i < 100; ++i) scene.waits();
    CHECK(scene.wire.connects == 0);
    CHECK(scene.now.instant.ns - seconds(1'000).ns >= seconds(90).ns);  // no busy loop
    CHECK(scene.written.empty());
}

TEST_CASE("an event is posted with a signature, and once it is taken no more", "[app][webhook]") {
    Scene scene;
    scene.dies("phone");
    while (!scene.wire.is_open) scene.waits();
    CHECK(scene.wire.asked_for.host == "hooks.example.org");
    CHECK(scene.wire.said.empty());
    scene.connects();
    const std::string request = scene.wire.said;
    const std::string body = request.substr(request.find("\r\n\r\n") + 4);
    CHECK(request.starts_with("POST /push?from=us HTTP/1.1\r\nHost: hooks.example.org\r\n"));
    CHECK(field(request, "Content-Type") == "application/json");
    CHECK(field(request, "Content-Length") == std::to_string(body.size()));
    CHECK(test::json_string(body, "/events/0/event") == "dead");
    CHECK(test::json_number(body, "/next") == 1);

    const std::string time = std::to_string(to_unix_seconds(scene.now.unix));
    const auto digest =
        crypto::hmac_sha256(as_bytes("0123456789abcdef"), as_bytes(time + "." + body));
    CHECK(field(request, "Knuckle-Signature") == "t=" + time + ",v1=" + to_hex(digest));

    CHECK(scene.backlog().events == 1);
    scene.says("HTTP/1.1 202 Acc");
    CHECK(scene.wire.is_open);
    scene.says("epted\r\nContent-Length: 1000\r\n\r\nwhatever");
    CHECK_FALSE(scene.wire.is_open);
    scene.commits();
    for (int i = 0; i < 10; ++i) scene.waits();
    CHECK(scene.wire.connects == 1);
    CHECK(scene.counts().delivered.get() == 1);
    CHECK(scene.backlog().events == 0);

    scene.start();
    for (int i = 0; i < 10; ++i) scene.waits();
    CHECK(scene.wire.connects == 1);
}

TEST_CASE("many events go in several requests, one after the other", "[app][webhook]") {
    Scene scene;
    for (size_t i = 0; i < kWebhookEventsMax + 1; ++i) scene.dies(std::to_string(i));
    const std::string first = scene.delivers("200 OK");
    CHECK(count_events(first) == kWebhookEventsMax);
    CHECK(scene.waits() == Duration{});
    const std::string second = scene.delivers("200 OK");
    CHECK(count_events(second) == 1);
    CHECK(test::json_number(second, "/next") == kWebhookEventsMax + 1);
}

TEST_CASE("a receiver that is away gets the same events later, also after a restart",
          "[app][webhook]") {
    Scene scene;
    scene.dies("phone");
    const std::string body = scene.delivers("503 Later");
    scene.start();
    while (!scene.wire.is_open) scene.waits();
    scene.hangs_up();
    CHECK(scene.delivers("500 Sorry") == body);
    CHECK(scene.written.empty());
    CHECK(scene.delivers("200 OK") == body);
    // The note of it was lost in a crash.
    scene.written.clear();
    scene.start();
    CHECK(scene.delivers("200 OK") == body);
    scene.commits();
    CHECK(scene.shelf.write(store::NoteFeedbackSent{0}) == store::WriteStatus::done);
    scene.start();
    for (int i = 0; i < 10; ++i) scene.waits();
    CHECK_FALSE(scene.wire.is_open);
}

TEST_CASE("retries come ever more slowly, and slower still when the receiver says no",
          "[app][webhook]") {
    static size_t complaints = 0;
    complaints = 0;
    log::set_sink([](std::string_view line) {
        if (line.find("event=webhook_failed") != std::string_view::npos) ++complaints;
    });
    Scene scene;
    scene.dies("phone");
    const auto pauses = [&scene](const std::string& status) {
        std::vector<Duration> waited;
        for (int i = 0; i < 12; ++i) {
            scene.delivers(status);
            waited.push_back(scene.waits());
        }
        return waited;
    };
    SECTION("away") {
        const std::string status = GENERATE("500 Sorry", "429 Slowly", "408 Timeout");
        const auto waited = pauses(status);
        CHECK(waited.front() >= milliseconds(500));
        CHECK(waited.front() <= kWebhookRetry);
        CHECK(waited.back() >= minutes(2));
        CHECK(waited.back() <= kWebhookRetryMax);
        CHECK(complaints == 1);
    }
    SECTION("no") {
        const std::string status = GENERATE("410 Gone", "404 Nowhere", "302 Elsewhere");
        const auto waited = pauses(status);
        CHECK(waited.front() >= seconds(30));
        CHECK(waited.back() >= minutes(30));
        CHECK(waited.back() <= kWebhookRefusedMax);
        CHECK(complaints == 12);
    }
    scene.delivers("200 OK");
    scene.dies("tablet");
    scene.delivers("500 Sorry");
    CHECK(scene.waits() <= kWebhookRetry);
    log::set_sink([](std::string_view) {});
}

TEST_CASE("who does not answer in time is given up", "[app][webhook]") {
    Scene scene;
    scene.dies("phone");
    while (!scene.wire.is_open) scene.waits();
    SECTION("the connection") { CHECK(scene.waits() == kWebhookConnectMax); }
    SECTION("the answer") {
        scene.passes(seconds(4));
        scene.connects();
        scene.passes(seconds(5));
        CHECK(scene.wire.is_open);
        scene.says("HTTP/1.1 200 OK\r\n");
        CHECK(scene.waits() == seconds(1));
    }
    SECTION("no connection at all") {
        scene.hangs_up();
        scene.wire.is_full = true;
        scene.waits();
        scene.waits();
        scene.wire.is_full = false;
    }
    CHECK_FALSE(scene.wire.is_open);
    CHECK(scene.counts().failed.get() >= 1);
    CHECK(count_events(scene.delivers("200 OK")) == 1);
}

TEST_CASE("what is no answer counts as none", "[app][webhook]") {
    Scene scene;
    scene.dies("phone");
    while (!scene.wire.is_open) scene.waits();
    SECTION("nonsense") {
        scene.connects();
        scene.says("SSH-2.0-OpenSSH\r\n");
    }
    SECTION("half an answer") {
        scene.connects();
        scene.says("HTTP/1.1 200 OK\r\n");
        scene.hangs_up();
    }
    SECTION("somebody else's") {
        scene.connects();
        scene.wire.id.generation += 7;
        scene.says("HTTP/1.1 200 OK\r\n\r\n");
        CHECK(scene.counts().delivered.get() == 0);
        scene.wire.id.generation -= 7;
        scene.hangs_up();
    }
    CHECK(scene.counts().failed.get() == 1);
    CHECK(scene.counts().delivered.get() == 0);
    CHECK(count_events(scene.delivers("200 OK")) == 1);
}

TEST_CASE("what waits is counted also while the receiver is not asked", "[app][webhook]") {
    Scene scene;
    scene.dies("phone");
    scene.delivers("410 Gone");  // which is not asked again for a minute
    CHECK(scene.backlog().events == 1);
    scene.dies("tablet");
    scene.passes(seconds(30));
    CHECK(scene.wire.connects == 1);
    CHECK(scene.backlog().events == 2);
    CHECK(scene.backlog().oldest >= seconds(30));
}

TEST_CASE("what has gone with its device is not waited for", "[app][webhook]") {
    Scene scene;
    scene.dies("phone");
    REQUIRE(scene.shelf.write(store::DeleteAccount{scene.anna.id}) == store::WriteStatus::done);
    for (int i = 0; i < 3; ++i) scene.waits();
    CHECK(scene.wire.connects == 0);
    scene.commits();
    CHECK(scene.backlog().events == 0);
}

TEST_CASE("over TLS only the receiver that was named gets anything", "[app][webhook]") {
    const test::Authority authority = test::make_authority();
    const std::string name = GENERATE("hooks.example.org", "other.example.org");
    const test::Identity identity = test::issue_server(authority, {name});
    const Result<tls::Context> server_context = tls::Context::server(
        {.certificate_pem = identity.certificate_pem, .key_pem = identity.key_pem});
    const Result<tls::Context> client_context =
        tls::Context::client({.ca_pem = authority.certificate_pem});
    REQUIRE(server_context);
    REQUIRE(client_context);
    Scene scene;
    scene.options.tls = &*client_context;
    scene.dies("phone");
    while (!scene.wire.is_open) scene.waits();
    scene.connects();
    test::OurEnd receiver(*server_context);
    for (int i = 0; i < 10 && scene.wire.is_open; ++i) {
        receiver.take(std::exchange(scene.wire.said, {}));
        if (const std::string answer = receiver.give(); !answer.empty()) scene.says(answer);
    }
    if (name == "hooks.example.org") {
        CHECK(receiver.heard.starts_with("POST /push?from=us HTTP/1.1\r\n"));
        receiver.say("HTTP/1.1 204 No Content\r\n\r\n");
        scene.says(receiver.give());
        CHECK(scene.counts().delivered.get() == 1);
    } else {
        CHECK(receiver.heard.empty());
        CHECK(scene.counts().failed.get() == 1);
    }
    CHECK_FALSE(scene.wire.is_open);
}

}  // namespace knuckle::app
