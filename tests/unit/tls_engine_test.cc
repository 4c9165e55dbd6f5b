// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/buffer.h"
#include "base/random.h"
#include "tests/support/certificates.h"
#include "tests/support/tls_ends.h"
#include "tls/engine.h"

using namespace knuckle;
using namespace knuckle::tls;
using namespace knuckle::test;

namespace {

const Authority& authority() {
    static const Authority made = make_authority();
    return made;
}

const Identity& localhost() {
    static const Identity made = issue_server(authority(), {"localhost", "127.0.0.1", "::1"});
    return made;
}

Context client_context(std::string_view alpn = {}, const Authority& trusted = authority()) {
    auto context = Context::client({.ca_pem = trusted.certificate_pem, .alpn = alpn});
    REQUIRE(context);
    return std::move(*context);
}

Context server_context(std::string_view alpn = {}, const Identity& identity = localhost()) {
    auto context = Context::server(
        {.certificate_pem = identity.certificate_pem, .key_pem = identity.key_pem, .alpn = alpn});
    REQUIRE(context);
    return std::move(*context);
}

// What a client that asks for `name` says about a server with this identity.
std::string_view verdict(const Identity& identity,
                         std::string_view name,
                         const Authority& trusted = authority()) {
    const Context ours = client_context({}, trusted);
    const Context theirs = server_context({}, identity);
    OurEnd client(ours, name);
    OurEnd server(theirs);
    exchange(client, server);
    CHECK(client.engine.is_ready() == client.failure().empty());
    return client.failure();
}

std::string random_text(size_t size, uint64_t seed) {
    Random random(seed);
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random.below(256));
    return text;
}

// Delivers in pieces of `size` bytes.
auto in_pieces_of(size_t size) {
    return [size](auto& end, std::string_view bytes) {
        for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) {
            end.take(bytes.substr(0, size));
        }
    };
}

}  // namespace

TEST_CASE("Two ends shake hands and talk", "[tls]") {
    const Context ours = client_context("h2");
    const Context theirs = server_context("h2");
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    CHECK_FALSE(client.engine.is_ready());
    CHECK(client.engine.alpn().empty());
    exchange(client, server);
    REQUIRE(client.failure() == "");
    REQUIRE(server.failure() == "");
    REQUIRE(client.engine.is_ready());
    REQUIRE(server.engine.is_ready());
    CHECK(client.engine.alpn() == "h2");
    CHECK(server.engine.alpn() == "h2");
    CHECK_FALSE(client.engine.was_resumed());
    CHECK_FALSE(server.engine.was_resumed());

    client.say("knock");
    server.say("who is there?");
    exchange(client, server);
    CHECK(server.heard == "knock");
    CHECK(client.heard == "who is there?");
}

TEST_CASE("What follows the handshake in the same bytes is not lost", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    server.take(client.give());
    client.take(server.give());
    REQUIRE(client.engine.is_ready());
    REQUIRE_FALSE(server.engine.is_ready());
    client.say("first words");
    server.take(client.give());
    CHECK(server.engine.is_ready());
    CHECK(server.heard == "first words");
}

TEST_CASE("Both sides prefer AES-128-GCM and X25519", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    for (const int version : {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3}) {
        const std::string suite = version == WOLFSSL_TLSV1_3 ? "TLS13-AES128-GCM-SHA256"
                                                             : "ECDHE-ECDSA-AES128-GCM-SHA256";
        OurEnd client(ours, "localhost");
        ForeignEnd foreign_server({.version = version, .identity = &localhost()});
        exchange(client, foreign_server);
        REQUIRE(foreign_server.is_ready);
        CHECK(wolfSSL_get_curve_name(foreign_server.ssl) == std::string("X25519"));

        OurEnd server(theirs);
        ForeignEnd foreign_client({.is_client = true, .version = version});
        exchange(foreign_client, server);
        REQUIRE(foreign_client.is_ready);
        CHECK(wolfSSL_get_cipher_name(foreign_client.ssl) == suite);
    }
}

TEST_CASE("Peers that know but one curve or cipher are met there", "[tls]") {
    struct Habit {
        std::string cipher_1_2, cipher_1_3;
        int group;
    };
    const Habit habit =
        GENERATE(Habit{"", "", WOLFSSL_ECC_SECP256R1},
                 Habit{"", "", WOLFSSL_ECC_SECP384R1},
                 Habit{"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS13-AES256-GCM-SHA384", 0},
                 Habit{"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS13-CHACHA20-POLY1305-SHA256", 0});
    const int version = GENERATE(int{WOLFSSL_TLSV1_2}, int{WOLFSSL_TLSV1_3});
    const size_t piece = GENERATE(1, 100'000);
    const std::string cipher = version == WOLFSSL_TLSV1_2 ? habit.cipher_1_2 : habit.cipher_1_3;
    const Context ours = client_context("h2");
    const Context theirs = server_context("h2");

    OurEnd client(ours, "localhost");
    ForeignEnd foreign_server({.version = version,
                               .identity = &localhost(),
                               .alpn = "h2",
                               .cipher = cipher,
                               .group = habit.group});
    exchange(client, foreign_server, in_pieces_of(piece));
    REQUIRE(client.failure() == "");
    REQUIRE(foreign_server.is_ready);
    foreign_server.say("hello");
    exchange(client, foreign_server, in_pieces_of(piece));
    CHECK(client.heard == "hello");

    OurEnd server(theirs);
    ForeignEnd foreign_client({.is_client = true,
                               .version = version,
                               .authority_pem = authority().certificate_pem,
                               .alpn = "h2",
                               .cipher = cipher,
                               .group = habit.group});
    exchange(foreign_client, server, in_pieces_of(piece));
    REQUIRE(server.failure() == "");
    REQUIRE(foreign_client.is_ready);
    foreign_client.say("hello");
    exchange(foreign_client, server, in_pieces_of(piece));
    CHECK(server.heard == "hello");
}

TEST_CASE("A client with nothing in common is turned away", "[tls]") {
    const Context theirs = server_context();
    OurEnd server(theirs);
    ForeignEnd client(
        {.is_client = true, .version = WOLFSSL_TLSV1_2, .cipher = "ECDHE-RSA-AES128-GCM-SHA256"});
    exchange(client, server);
    CHECK(server.failure() == "no cipher suite, curve or kind of signature in common");
}

TEST_CASE("TLS 1.2 is spoken with those who know no better", "[tls]") {
    const Identity rsa = issue_server(authority(), {"localhost"}, {.key = KeyKind::rsa2048});
    for (const Identity* identity : {&localhost(), &rsa}) {
        const Context ours = client_context("h2");
        const Context theirs = server_context("http/1.1", *identity);
        OurEnd client(ours, "localhost");
        ForeignEnd old_server({.version = WOLFSSL_TLSV1_2, .identity = identity, .alpn = "h2"});
        exchange(client, old_server);
        REQUIRE(client.failure() == "");
        REQUIRE(old_server.is_ready);
        client.say("to the old server");
        old_server.say("from the old server");
        exchange(client, old_server);
        CHECK(old_server.heard == "to the old server");
        CHECK(client.heard == "from the old server");
        CHECK(client.engine.alpn() == "h2");

        OurEnd server(theirs);
        ForeignEnd old_client({.is_client = true,
                               .version = WOLFSSL_TLSV1_2,
                               .authority_pem = authority().certificate_pem,
                               .alpn = "h2,http/1.1"});
        exchange(old_client, server);
        REQUIRE(server.failure() == "");
        REQUIRE(old_client.is_ready);
        old_client.say("to the server");
        exchange(old_client, server);
        CHECK(server.heard == "to the server");
        CHECK(server.engine.alpn() == "http/1.1");
    }
}

TEST_CASE("A server may show an RSA certificate and intermediates", "[tls]") {
    const Authority root = make_authority("RSA Root", {.key = KeyKind::rsa2048});
    const Authority first = make_intermediate(root, "First");
    const Authority second = make_intermediate(first, "Second", {.key = KeyKind::rsa2048});
    const Identity leaf = issue_server(second, {"localhost"}, {.key = KeyKind::rsa2048});
    CHECK(verdict(leaf, "localhost", root) == "");

    // The chain is the server's to send.
    const std::string alone =
        leaf.certificate_pem.substr(0, leaf.certificate_pem.size() - second.chain_pem.size());
    const Identity lacking{.certificate_pem = alone, .key_pem = leaf.key_pem};
    CHECK(verdict(lacking, "localhost", root) ==
          "the peer's certificate is not trusted (no authority of ours vouches for it)");
}

TEST_CASE("What a server shows is noted, whether it is trusted or not", "[tls]") {
    const Authority root = make_authority("Root");
    const Authority between = make_intermediate(root, "Between");
    const Identity leaf = issue_server(between, {"localhost"});
    for (const Authority* trusted : {&root, &authority()}) {
        const Context ours = client_context({}, *trusted);
        const Context theirs = server_context({}, leaf);
        std::vector<CertificateFacts> shown;
        OurEnd client(ours, "localhost", &shown);
        OurEnd server(theirs);
        exchange(client, server);
        CHECK(client.engine.is_ready() == (trusted == &root));
        REQUIRE(shown.size() == 2);
        CHECK(shown[0].issuer == "Between");
        CHECK(shown[1].issuer == "Root");
    }
}

TEST_CASE("A server that asks for a certificate notes what it is shown, and insists", "[tls]") {
    const Identity good = issue_client(authority(), "client", {.topics = {"org.example.chat"}});
    const Identity strange = issue_client(make_authority("Stranger"), "client");
    const auto asking = Context::server({.certificate_pem = localhost().certificate_pem,
                                         .key_pem = localhost().key_pem,
                                         .client_ca_pem = authority().certificate_pem});
    REQUIRE(asking);
    const auto meet = [&](const Identity* identity, std::vector<CertificateFacts>& shown) {
        const auto ours = Context::client(
            {.ca_pem = authority().certificate_pem,
             .certificate_pem = identity != nullptr ? identity->certificate_pem : "",
             .key_pem = identity != nullptr ? identity->key_pem : ""});
        REQUIRE(ours);
        OurEnd client(*ours, "localhost");
        OurEnd server(*asking, {}, &shown);
        exchange(client, server);
        return server.engine.is_ready();
    };
    std::vector<CertificateFacts> shown;
    CHECK(meet(&good, shown));
    REQUIRE(shown.size() == 1);
    CHECK(shown[0].topics == std::vector<std::string>{"org.example.chat"});
    CHECK_FALSE(meet(&strange, shown));
    CHECK_FALSE(meet(nullptr, shown));
}

TEST_CASE("A server's certificate must be for the name that was asked for", "[tls]") {
    constexpr std::string_view kOther = "the peer's certificate is for another name";
    const Identity wild =
        issue_server(authority(), {"*.push.example.org", "xn--bcher-kva.example"});
    CHECK(verdict(localhost(), "localhost") == "");
    CHECK(verdict(localhost(), "example.org") == kOther);
    CHECK(verdict(wild, "api.push.example.org") == "");
    CHECK(verdict(wild, "API.Push.Example.ORG.") == "");
    CHECK(verdict(wild, "xn--bcher-kva.example") == "");
    CHECK(verdict(wild, "push.example.org") == kOther);
    CHECK(verdict(wild, "a.b.push.example.org") == kOther);
    CHECK(verdict(wild, "api.push.example.org.evil.example") == kOther);
    // The subject, here "Knuckle Test Server", does not count where there are names.
    CHECK(verdict(issue_server(authority(), {"a.example"}), "b.example") == kOther);
}

TEST_CASE("A server reached by address must have that address in its certificate", "[tls]") {
    constexpr std::string_view kOther = "the peer's certificate is for another name";
    const Identity identity =
        issue_server(authority(), {"127.0.0.1", "2001:db8::a:1", "10.0.0.1.example.org"});
    CHECK(verdict(identity, "127.0.0.1") == "");
    CHECK(verdict(identity, "2001:db8::a:1") == "");
    CHECK(verdict(identity, "2001:0DB8:0:0::A:0001") == "");
    CHECK(verdict(identity, "127.0.0.2") == kOther);
    CHECK(verdict(identity, "2001:db8::a:2") == kOther);
    CHECK(verdict(identity, "::1") == kOther);
    CHECK(verdict(identity, "10.0.0.1") == kOther);
    // An address among the host names proves nothing.
    const Identity posing = issue_server(authority(), {"localhost"});
    CHECK(verdict(posing, "127.0.0.1") == kOther);
}

TEST_CASE("A client that does not know whom it talks to does not talk", "[tls]") {
    constexpr std::string_view kNoName =
        "the server's name is neither a full host name nor an IP address";
    for (const std::string_view name : {"", ".", "intranet", "a..b", "1.2.3.4.5", "exa mple.org"}) {
        CHECK(verdict(localhost(), name) == kNoName);
    }
}

TEST_CASE("The client names the server it wants, unless that is an address", "[tls]") {
    const Context ours = client_context();
    const auto asked_for = [&](std::string_view name) {
        OurEnd client(ours, name);
        const std::string hello = client.give();
        std::string sni(100, '\0');
        unsigned size = 100;
        const int result = wolfSSL_SNI_GetFromBuffer(as_bytes(hello).data(),
                                                     static_cast<unsigned>(hello.size()),
                                                     WOLFSSL_SNI_HOST_NAME,
                                                     reinterpret_cast<unsigned char*>(sni.data()),
                                                     &size);
        return result == WOLFSSL_SUCCESS ? sni.substr(0, size) : "";
    };
    CHECK(asked_for("api.push.apple.com") == "api.push.apple.com");
    CHECK(asked_for("api.push.apple.com.") == "api.push.apple.com");
    CHECK(asked_for("17.188.1.1") == "");
    CHECK(asked_for("::1") == "");
}

TEST_CASE("A certificate is trusted only while it is valid and by those who know its issuer",
          "[tls]") {
    const Authority stranger = make_authority("Stranger");
    const Authority namesake = make_authority(authority().name);
    const Authority late = make_intermediate(authority(), "Late", {.validity = Validity::expired});
    constexpr std::string_view kUntrusted =
        "the peer's certificate is not trusted (no authority of ours vouches for it)";
    CHECK(verdict(localhost(), "localhost", stranger) == kUntrusted);
    CHECK(verdict(localhost(), "localhost", namesake) == kUntrusted);
    CHECK(verdict(issue_server(authority(), {"localhost"}, {.validity = Validity::expired}),
                  "localhost") == "the peer's certificate has expired");
    CHECK(verdict(issue_server(authority(), {"localhost"}, {.validity = Validity::not_yet}),
                  "localhost") ==
          "the peer's certificate is not valid yet (or this machine's clock is wrong)");
    CHECK(verdict(issue_server(late, {"localhost"}), "localhost") ==
          "the peer's certificate has expired");
}

TEST_CASE("A certificate must be meant for servers", "[tls]") {
    CHECK(verdict(issue_client(authority(), "localhost"), "localhost") ==
          "the peer's certificate cannot be used here");
}

TEST_CASE("The server learns that it was not trusted", "[tls]") {
    const Authority stranger = make_authority("Stranger");
    const Context ours = client_context({}, stranger);
    const Context theirs = server_context();
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    exchange(client, server);
    CHECK(server.failure() == "the peer did not accept our certificate");
    CHECK(server.error->code == Errc::tls);
    CHECK(server.error->detail > 0);
}

TEST_CASE("Client and server agree on the protocol, or part", "[tls]") {
    struct Case {
        std::string_view client, server, agreed, client_failure, server_failure;
    };
    constexpr std::string_view kNo = "the peer did not agree on the protocol (ALPN)";
    const Case cases[] = {
        {"h2", "h2", "h2", "", ""},
        {"", "", "", "", ""},
        {"", "http/1.1", "", "", ""},
        {"h2", "http/1.1", "", kNo, kNo},
        {"h2", "h2c", "", kNo, kNo},
        // The server ignores the question. Nothing is wrong with that but for our client.
        {"h2", "", "", kNo, "the peer closed the connection"},
    };
    for (const Case& c : cases) {
        INFO(c.client << " against " << c.server);
        const Context ours = client_context(c.client);
        const Context theirs = server_context(c.server);
        OurEnd client(ours, "localhost");
        OurEnd server(theirs);
        exchange(client, server);
        CHECK(client.failure() == c.client_failure);
        CHECK(server.failure() == c.server_failure);
        CHECK(client.engine.is_ready() == c.client_failure.empty());
        CHECK(client.engine.alpn() == c.agreed);
        CHECK(server.engine.alpn() == c.agreed);
    }
}

TEST_CASE("A TLS 1.2 server that ignores ALPN is left as well", "[tls]") {
    const Context ours = client_context("h2");
    OurEnd client(ours, "localhost");
    ForeignEnd server({.version = WOLFSSL_TLSV1_2, .identity = &localhost()});
    exchange(client, server);
    CHECK(client.failure() == "the peer did not agree on the protocol (ALPN)");
}

TEST_CASE("A client comes back with a ticket", "[tls]") {
    for (const int version : {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3}) {
        const Context theirs = server_context("http/1.1");
        const ForeignOptions options{.is_client = true, .version = version, .alpn = "http/1.1"};
        OurEnd server(theirs);
        ForeignEnd client(options);
        exchange(client, server);
        REQUIRE(client.is_ready);
        CHECK_FALSE(server.engine.was_resumed());
        WOLFSSL_SESSION* const session = wolfSSL_get1_session(client.ssl);

        ForeignOptions again = options;
        again.session = session;
        OurEnd same_server(theirs);
        ForeignEnd second(again);
        exchange(second, same_server);
        CHECK(same_server.failure() == "");
        CHECK(same_server.engine.was_resumed());
        CHECK(wolfSSL_session_reused(second.ssl) == 1);
        second.say("back again");
        exchange(second, same_server);
        CHECK(same_server.heard == "back again");
        CHECK(same_server.engine.alpn() == "http/1.1");

        // After a restart or a reload the tickets' key is another; nobody is turned away for that.
        const Context restarted = server_context("http/1.1");
        OurEnd new_server(restarted);
        ForeignEnd third(again);
        exchange(third, new_server);
        CHECK(third.error == 0);
        CHECK(new_server.failure() == "");
        CHECK(new_server.engine.is_ready());
        CHECK_FALSE(new_server.engine.was_resumed());
        wolfSSL_SESSION_free(session);
    }
}

TEST_CASE("A client comes back as often as it likes, each time with its newest ticket", "[tls]") {
    const Context theirs = server_context("http/1.1");
    ForeignOptions options{.is_client = true, .version = WOLFSSL_TLSV1_3, .alpn = "http/1.1"};
    for (int i = 0; i < 600; ++i) {
        OurEnd server(theirs);
        ForeignEnd client(options);
        exchange(client, server);
        client.say("here");
        exchange(client, server);
        REQUIRE(server.failure() == "");
        REQUIRE(server.heard == "here");
        REQUIRE(server.engine.was_resumed() == (i > 0));
        if (options.session != nullptr) wolfSSL_SESSION_free(options.session);
        options.session = wolfSSL_get1_session(client.ssl);
    }
    wolfSSL_SESSION_free(options.session);
}

TEST_CASE("A client shows its certificate to those who ask", "[tls]") {
    const Identity identity = issue_client(authority(), "gateway");
    auto with = Context::client({.ca_pem = authority().certificate_pem,
                                 .certificate_pem = identity.certificate_pem,
                                 .key_pem = identity.key_pem});
    REQUIRE(with);
    const Context without = client_context();
    for (const int version : {WOLFSSL_TLSV1_2, WOLFSSL_TLSV1_3}) {
        const ForeignOptions demanding{.version = version,
                                       .identity = &localhost(),
                                       .authority_pem = authority().certificate_pem,
                                       .demands_certificate = true};
        OurEnd client(*with, "localhost");
        ForeignEnd server(demanding);
        exchange(client, server);
        CHECK(client.failure() == "");
        CHECK(server.error == 0);
        REQUIRE(server.is_ready);
        client.say("it is me");
        exchange(client, server);
        CHECK(server.heard == "it is me");

        OurEnd nameless(without, "localhost");
        ForeignEnd same_server(demanding);
        exchange(nameless, same_server);
        CHECK_FALSE(same_server.is_ready);
        CHECK(nameless.error.has_value());
    }
}

TEST_CASE("Every place to cut the wire in two is as good as another", "[tls]") {
    const Context ours = client_context("h2");
    const Context theirs = server_context("h2");
    size_t longest = 1;
    for (size_t cut = 0; cut < longest; ++cut) {
        OurEnd client(ours, "localhost");
        OurEnd server(theirs);
        const auto deliver = [&](auto& end, std::string_view bytes) {
            longest = std::max(longest, bytes.size());
            end.take(bytes.substr(0, cut));
            if (cut < bytes.size()) end.take(bytes.substr(cut));
        };
        exchange(client, server, deliver);
        client.say("knock");
        exchange(client, server, deliver);
        server.say("yes?");
        exchange(client, server, deliver);
        REQUIRE(server.heard == "knock");
        REQUIRE(client.heard == "yes?");
    }
    CHECK(longest > 500);
}

TEST_CASE("Bytes may come one by one", "[tls]") {
    const Context ours = client_context("h2");
    const Context theirs = server_context("h2");
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    exchange(client, server, in_pieces_of(1));
    client.say("knock");
    server.say("yes?");
    exchange(client, server, in_pieces_of(1));
    CHECK(server.heard == "knock");
    CHECK(client.heard == "yes?");
}

TEST_CASE("A megabyte each way arrives unchanged, however it is cut", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    const std::string up = random_text(1 << 20, 1);
    const std::string down = random_text(1 << 20, 2);
    for (const uint64_t seed : {3u, 4u, 5u}) {
        Random random(seed);
        const auto deliver = [&](auto& end, std::string_view bytes) {
            while (!bytes.empty()) {
                const size_t size = std::min<size_t>(1 + random.below(20'000), bytes.size());
                end.take(bytes.substr(0, size));
                bytes.remove_prefix(size);
            }
        };
        OurEnd client(ours, "localhost");
        OurEnd server(theirs);
        exchange(client, server, deliver);
        client.say(up);
        server.say(down);
        exchange(client, server, deliver);
        CHECK((server.heard == up));
        CHECK((client.heard == down));
    }
}

TEST_CASE("What is sealed is cut into records of at most 16 KiB", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    exchange(client, server);
    const std::string text = random_text(100'000, 6);

    size_t piece_max = 16 * 1024;
    SECTION("from a view") { client.say(text); }
    SECTION("from a buffer, chunk by chunk, which is used up") {
        piece_max = Chunk::kSize;
        Buffer plain(client.chunks);
        plain.append(text);
        REQUIRE(client.engine.seal(plain));
        CHECK(plain.is_empty());
    }

    const std::string wire = client.give();
    size_t records = 0;
    for (std::string_view rest = wire; !rest.empty(); ++records) {
        REQUIRE(rest.size() > 5);
        CHECK(static_cast<uint8_t>(rest[0]) == 23);
        const size_t size = static_cast<uint8_t>(rest[3]) * 256u + static_cast<uint8_t>(rest[4]);
        CHECK(size <= 16 * 1024 + 1 + 16);
        REQUIRE(rest.size() >= 5 + size);
        rest.remove_prefix(5 + size);
    }
    CHECK(records == (text.size() + piece_max - 1) / piece_max);
    server.take(wire);
    CHECK((server.heard == text));
}

TEST_CASE("A client with little room gets small records", "[tls]") {
    const Context theirs = server_context();
    OurEnd server(theirs);
    ForeignEnd client({.is_client = true, .max_fragment = WOLFSSL_MFL_2_9});
    exchange(client, server);
    const std::string text = random_text(20'000, 7);
    server.say(text);
    const std::string wire = server.give();
    CHECK(static_cast<uint8_t>(wire[3]) * 256u + static_cast<uint8_t>(wire[4]) <= 512 + 17);
    client.take(wire);
    CHECK((client.heard == text));
}

TEST_CASE("Connections outlive the context they were made from", "[tls]") {
    auto ours = std::make_unique<Context>(client_context());
    auto theirs = std::make_unique<Context>(server_context());
    OurEnd client(*ours, "localhost");
    OurEnd server(*theirs);
    server.take(client.give());
    ours.reset();
    theirs.reset();
    exchange(client, server);
    client.say("still here");
    exchange(client, server);
    CHECK(server.heard == "still here");
}

TEST_CASE("Sealing nothing puts nothing on the wire", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    exchange(client, server);
    client.say("");
    CHECK(client.out.is_empty());
}

TEST_CASE("Fresh keys may be agreed on at any time", "[tls]") {
    const Context ours = client_context();
    OurEnd client(ours, "localhost");
    ForeignEnd server({.version = WOLFSSL_TLSV1_3, .identity = &localhost()});
    exchange(client, server);
    for (int i = 0; i < 3; ++i) {
        server.say("old keys,");
        REQUIRE(wolfSSL_update_keys(server.ssl) == WOLFSSL_SUCCESS);
        exchange(client, server, in_pieces_of(7));
        server.say("new keys.");
        client.say("new keys.");
        exchange(client, server);
    }
    CHECK(client.heard == "old keys,new keys.old keys,new keys.old keys,new keys.");
    CHECK(server.heard == "new keys.new keys.new keys.");
}

TEST_CASE("Closing is announced, by either end and only once", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    exchange(client, server);
    client.say("goodbye");
    client.engine.close();
    client.engine.close();
    server.take(client.give());
    CHECK(server.heard == "goodbye");
    CHECK(server.failure() == "the peer closed the connection");
    CHECK(server.error->code == Errc::unavailable);

    // Nothing more will come from there, but it may still be answered.
    uint8_t plain[10];
    CHECK(server.engine.open(plain).error().code == Errc::unavailable);
    server.say("farewell");
    server.engine.close();
    server.engine.close();
    client.take(server.give());
    CHECK(client.heard == "farewell");
    CHECK(client.failure() == "the peer closed the connection");
    CHECK(client.error->code == Errc::unavailable);
    CHECK(client.out.is_empty());
}

TEST_CASE("A handshake can be called off", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    server.take(client.give());
    client.engine.close();
    REQUIRE_FALSE(client.out.is_empty());
    server.take(client.give());
    CHECK(server.error.has_value());
    CHECK_FALSE(server.engine.is_ready());
}

TEST_CASE("A peer that leaves before the handshake is over cannot be answered", "[tls]") {
    using namespace std::string_view_literals;
    const Context ours = client_context();
    OurEnd client(ours, "localhost");
    client.give();
    client.take("\x15\x03\x03\x00\x02\x01\x00"sv);
    CHECK(client.failure() == "the peer closed the connection");
    CHECK(client.engine.seal(as_bytes("wait!")).error().code == Errc::unavailable);
    client.engine.close();
    CHECK(client.out.is_empty());
}

TEST_CASE("A record that is cut short yields nothing", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    exchange(client, server);
    client.say("all or nothing");
    const std::string record = client.give();
    server.take(std::string_view(record).substr(0, record.size() - 1));
    CHECK(server.heard.empty());
    CHECK(server.failure() == "");
}

TEST_CASE("Nobody but the peer can close or end the conversation", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    using namespace std::string_view_literals;
    const auto forged =
        GENERATE("\x15\x03\x03\x00\x02\x01\x00"sv,          // close_notify in the clear
                 "\x15\x03\x03\x00\x02\x02\x28"sv,          // handshake_failure in the clear
                 "\x17\x03\x03\x00\x02hi"sv,                // too short to be a record
                 "\x16\x03\x03\x00\x04\x00\x00\x00\x00"sv,  // HelloRequest
                 "\x14\x03\x03\x00\x01\x01"sv);             // change_cipher_spec
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    exchange(client, server);
    client.take(forged);
    CHECK(client.error->code == Errc::tls);
    CHECK(client.heard.empty());
}

TEST_CASE("A repeated or swapped record is noticed", "[tls]") {
    const Context ours = client_context();
    const Context theirs = server_context();
    OurEnd client(ours, "localhost");
    OurEnd server(theirs);
    exchange(client, server);
    client.say("one");
    const std::string one = client.give();
    client.say("two");
    const std::string two = client.give();

    SECTION("repeated") {
        server.take(one + one);
        CHECK(server.heard == "one");
    }
    SECTION("swapped") {
        server.take(two + one);
        CHECK(server.heard.empty());
    }
    CHECK(server.failure() == "a TLS record was altered on its way");
}

TEST_CASE("After a failure everything fails with it", "[tls]") {
    const Context ours = client_context("h2");
    OurEnd client(ours, "localhost");
    client.give();
    client.take("HTTP/1.1 400 Bad Request\r\n\r\n");
    REQUIRE(client.failure() == "the peer does not speak TLS");
    client.give();

    uint8_t plain[10];
    CHECK(client.engine.start().error().what == client.failure());
    client.engine.feed(as_bytes("more"));
    CHECK(client.engine.open(plain).error().what == client.failure());
    CHECK(client.engine.seal(as_bytes("more")).error().what == client.failure());
    Buffer more(client.chunks);
    more.append("more");
    CHECK(client.engine.seal(more).error().what == client.failure());
    client.engine.close();
    CHECK(client.out.is_empty());
    CHECK_FALSE(client.engine.is_ready());
    CHECK(client.engine.alpn().empty());
}

TEST_CASE("Whatever byte of the conversation is changed, nobody hears a word that was not said",
          "[tls]") {
    const Context ours = client_context("h2");
    const Context theirs = server_context("h2");
    const auto flip = GENERATE(0x01, 0x80, 0xff);
    const auto version = GENERATE(int{WOLFSSL_TLSV1_2}, int{WOLFSSL_TLSV1_3});
    const auto to_our_client = GENERATE(true, false);

    // Changes the byte at `position` of all that goes to the end under test.
    const auto run = [&](auto& end, auto& foreign, size_t position) {
        size_t seen = 0;
        const auto deliver = [&](auto& to, std::string_view bytes) {
            std::string changed(bytes);
            if (static_cast<const void*>(&to) == &end) {
                if (position >= seen && position < seen + changed.size()) {
                    changed[position - seen] = static_cast<char>(changed[position - seen] ^ flip);
                }
                seen += changed.size();
            }
            to.take(changed);
        };
        exchange(foreign, end, deliver);
        if (foreign.is_ready && end.engine.is_ready()) {
            foreign.say("from far away");
            exchange(foreign, end, deliver);
        }
        REQUIRE(std::string_view("from far away").starts_with(end.heard));
        return seen;
    };
    size_t size = 1;
    for (size_t position = 0; position < size; ++position) {
        if (to_our_client) {
            OurEnd client(ours, "localhost");
            ForeignEnd server({.version = version, .identity = &localhost(), .alpn = "h2"});
            size = std::max(size, run(client, server, position));
        } else {
            OurEnd server(theirs);
            ForeignEnd client({.is_client = true, .version = version, .alpn = "h2"});
            size = std::max(size, run(server, client, position));
        }
    }
    CHECK(size > 200);
}

TEST_CASE("Noise at any point of the handshake ends it", "[tls]") {
    const Context ours = client_context("h2");
    const Context theirs = server_context("h2");
    for (uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        size_t clean = random.below(2500);
        const bool to_client = random.below(2) == 0;
        OurEnd client(ours, "localhost");
        OurEnd server(theirs);
        exchange(client, server, [&](OurEnd& end, std::string_view bytes) {
            if ((&end == &client) != to_client) return end.take(bytes);
            end.take(bytes.substr(0, clean));
            if (clean < bytes.size()) end.take(random_text(400, seed));
            clean -= std::min(clean, bytes.size());
        });
        CHECK(client.heard.empty());
        CHECK(server.heard.empty());
    }
}
