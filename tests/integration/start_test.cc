// SPDX-License-Identifier: GPL-3.0-or-later
// What is wrong is said before anything is served: one clear line, and exit status 1.
#include <algorithm>
#include <arpa/inet.h>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"
#include "tests/support/certificates.h"
#include "tests/support/pkcs12_files.h"

namespace knuckle::test {

namespace {

struct Outcome {
    int status = -1;
    std::string text;  // all that was written

    [[nodiscard]] size_t lines() const {
        return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
    }
    // Nothing was served, and one line says why in these words.
    [[nodiscard]] bool says(std::string_view words) const {
        return status == 1 && lines() == 1 && text.find(words) != std::string::npos;
    }
};

Outcome run(const TempDir& dir, const std::vector<std::string>& words, As as = As::ourselves) {
    std::vector<std::string> all = {KNUCKLE_BINARY};
    all.insert(all.end(), words.begin(), words.end());
    const std::string output = dir / "output";
    std::filesystem::remove(output);
    Process process(all, output, as);
    const int status = process.wait(seconds(20)).value_or(-1);
    return {status, process.output()};
}

// The file of a configuration that nothing is wrong with, unless a test spoils it.
struct Start {
    Start() : config(dir) {
        const Authority authority = make_authority();
        const Identity server = issue_server(authority, {"push.example.org"});
        config.ca_file = dir.write("ca.pem", authority.certificate_pem);
        config.key_file = dir.write("apns.p8", server.key_pem);
        dir.write("server.pem", server.certificate_pem);
        dir.write("server.key", server.key_pem);
    }
    Outcome serve() { return run(dir, {"serve", "--config", config.write()}); }
    Outcome check() { return run(dir, {"check", "--config", config.write()}); }
    // As somebody to whom permissions mean something, which they do not to root.
    Outcome serve_as_nobody() {
        std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
        const std::vector<std::string> words = {"serve", "--config", config.write()};
        return run(dir, words, ::geteuid() == 0 ? As::nobody : As::ourselves);
    }

    TempDir dir;
    GatewayConfig config;
};

// Somebody else's socket, on a port of its own.
class Occupied {
public:
    Occupied() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(fd_, 1) == 0);
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
    }
    Occupied(const Occupied&) = delete;
    Occupied& operator=(const Occupied&) = delete;
    ~Occupied() { ::close(fd_); }

    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

private:
    int fd_;
    uint16_t port_ = 0;
};

}  // namespace

TEST_CASE("the command line explains itself", "[start]") {
    const TempDir dir;
    const Outcome help = run(dir, {"help"});
    CHECK(help.status == 0);
    CHECK(help.text.find("knuckle serve") != std::string::npos);
    const Outcome version = run(dir, {"version"});
    CHECK(version.status == 0);
    CHECK(version.text.starts_with("knuckle "));
    CHECK(version.lines() == 1);
    CHECK(run(dir, {"doctor", "--help"}).text == help.text);
    CHECK(run(dir, {}).status == 2);
    CHECK(run(dir, {"dance"}).status == 2);
    CHECK(run(dir, {"serve", "--confiig", "x"}).status == 2);
}

TEST_CASE("a sound configuration is called so", "[start]") {
    Start start;
    const Outcome checked = start.check();
    CHECK(checked.status == 0);
    CHECK(checked.text == start.dir / "knuckle.toml" + ": ok\n");
    // Checking leaves nothing behind.
    CHECK_FALSE(std::filesystem::exists(start.config.data_dir));
}

TEST_CASE("a mistake in the configuration is named with its place", "[start]") {
    Start start;
    SECTION("a file that is not there") {
        const std::string path = start.dir / "absent.toml";
        CHECK(run(start.dir, {"serve", "--config", path}).says(path));
    }
    SECTION("what is no TOML") {
        start.config.top = "workers = = 1\n";
        CHECK(start.serve().says("knuckle.toml:3:"));
        CHECK(start.check().says("knuckle.toml:3:"));
    }
    SECTION("a key that nobody knows") {
        start.config.top = "wrokers = 2\n";
        CHECK(start.serve().says("knuckle.toml:3:"));
        CHECK(start.serve().says("wrokers"));
    }
    SECTION("a value of the wrong type") {
        start.config.top = "drain_timeout = \"soon\"\n";
        CHECK(start.serve().says("drain_timeout"));
    }
    SECTION("every mistake gets its line") {
        start.config.top = "drain_timeout = \"soon\"\nlog_level = \"loud\"\n";
        start.config.apns = "expiration = 0\n";
        const Outcome outcome = start.serve();
        CHECK(outcome.status == 1);
        CHECK(outcome.lines() == 3);
    }
}

TEST_CASE("a key, certificate or authority that is no good stops the start", "[start]") {
    Start start;
    const auto says = [&](std::string_view words) {
        const Outcome served = start.serve();
        const Outcome checked = start.check();
        UNSCOPED_INFO(served.text << checked.text);
        return served.says(words) && checked.says(words);
    };
    SECTION("no provider key") {
        start.config.key_file = start.dir / "absent.p8";
        CHECK(says("apps.chat.apns.key_file"));
        CHECK(says("absent.p8"));
        CHECK(says("No such file"));
    }
    SECTION("a provider key that is something else") {
        start.config.key_file = start.config.ca_file;
        CHECK(says("apps.chat.apns.key_file"));
        CHECK(says("no private key"));
    }
    SECTION("an RSA key") {
        const Issue rsa{.key = KeyKind::rsa2048};
        start.config.key_file =
            start.dir.write("rsa.p8", issue_client(make_authority("RSA", rsa), "x", rsa).key_pem);
        CHECK(says("RSA"));
    }
    SECTION("a truncated key") {
        const std::string pem = read_whole_file(start.config.key_file);
        start.config.key_file = start.dir.write("half.p8", pem.substr(0, pem.size() / 2));
        CHECK(says("apps.chat.apns.key_file"));
    }
    SECTION("a key that may not be read") {
        std::filesystem::permissions(start.config.key_file, std::filesystem::perms::none);
        const Outcome outcome = start.serve_as_nobody();
        if (outcome.status == 127) SKIP("nobody may not run the program from here");
        UNSCOPED_INFO(outcome.text);
        CHECK(outcome.says("apps.chat.apns.key_file"));
        CHECK(outcome.says("Permission denied"));
    }
    SECTION("a folder for a key") {
        start.config.key_file = start.dir.path();
        CHECK(says("apps.chat.apns.key_file"));
        CHECK(says("Is a directory"));
    }
    SECTION("no authorities") {
        start.config.ca_file = start.dir / "absent.pem";
        CHECK(says("apps.chat.apns.ca_file"));
        CHECK(says("No such file"));
    }
    SECTION("a file of authorities without any") {
        start.config.ca_file = start.dir.write("empty.pem", "nothing\n");
        CHECK(says("apps.chat.apns.ca_file"));
    }
    SECTION("a listener's certificate and the key of another") {
        const Identity other = issue_server(make_authority(), {"push.example.org"});
        start.config.listeners += "[[listen]]\naddress = \"127.0.0.1:0\"\ntls_certificate = \"" +
                                  start.dir / "server.pem" + "\"\ntls_key = \"" +
                                  start.dir.write("other.key", other.key_pem) + "\"\n";
        CHECK(says("knuckle.toml:5:"));
        CHECK(says("private key does not belong to the certificate"));
    }
    SECTION("a credential that systemd did not give") {
        start.config.key_file = "credential:apns.p8";
        CHECK(says("LoadCredential"));
    }
    // Nothing was made on the way.
    CHECK_FALSE(std::filesystem::exists(start.config.data_dir));
}

TEST_CASE("a client certificate that Apple would refuse stops the start", "[start]") {
    Start start;
    const Authority authority = make_authority();
    const auto use = [&](std::string_view name, const Issue& issue = {}) {
        const Identity identity = issue_client(authority, name, issue);
        start.config.certificate = start.dir.write("client.pem", identity.certificate_pem);
        start.config.certificate_key = start.dir.write("client.key", identity.key_pem);
    };
    const auto says = [&](std::string_view words) {
        const Outcome served = start.serve();
        const Outcome checked = start.check();
        UNSCOPED_INFO(served.text << checked.text);
        return served.says(words) && checked.says(words) && served.says("knuckle.toml:");
    };
    use("Apple Push Services: org.example.chat");
    REQUIRE(start.check().status == 0);
    SECTION("one that has expired") {
        use("Apple Push Services: org.example.chat", {.validity = Validity::expired});
        CHECK(says("apps.chat.apns.certificate"));
        CHECK(says("has expired"));
    }
    SECTION("one that is not valid yet") {
        use("Apple Push Services: org.example.chat", {.validity = Validity::not_yet});
        CHECK(says("is not valid yet"));
    }
    SECTION("one of another app") {
        use("Apple Push Services: org.example.other");
        CHECK(says("apps.chat.apns.topic"));
        CHECK(says("the certificate is not for this topic"));
    }
    SECTION("the key of another") {
        const Identity other = issue_client(authority, "Apple Push Services: org.example.chat");
        start.config.certificate_key = start.dir.write("other.key", other.key_pem);
        CHECK(says("apps.chat.apns.certificate"));
        CHECK(says("private key does not belong to the certificate"));
    }
    SECTION("PEM without its key") {
        start.config.certificate_key.clear();
        CHECK(says("apps.chat.apns.certificate_key: missing; "));
    }
    SECTION("no certificate") {
        start.config.certificate = start.dir.write("empty.pem", "nothing\n");
        CHECK(says("holds no certificate in PEM form"));
    }
    CHECK_FALSE(std::filesystem::exists(start.config.data_dir));
}

TEST_CASE("PKCS#12 is taken as it was exported, or the start says what is wrong", "[start]") {
    Start start;
    const Authority authority = make_authority();
    const auto use = [&](std::string_view file, std::string_view password) {
        start.config.certificate = start.dir.write("client.p12", file);
        start.config.certificate_key.clear();
        start.config.certificate_password_file = start.dir.write("client.password", password);
    };
    const auto issue = [&](std::string_view name, const Issue& how = {}) {
        return export_pkcs12(issue_client(authority, name, how), "secret");
    };
    const auto says = [&](std::string_view words) {
        const Outcome served = start.serve();
        const Outcome checked = start.check();
        UNSCOPED_INFO(served.text << checked.text);
        return served.says(words) && checked.says(words) && served.says("knuckle.toml:");
    };
    const std::string good = issue("Apple Push Services: org.example.chat");
    for (const std::string_view password : {"secret", "secret\n", "secret\r\n"}) {
        use(good, password);
        CHECK(start.check().status == 0);
    }
    SECTION("without a password") {
        use(pkcs12::decode(pkcs12::kEmptyPassword), "");
        CHECK(start.check().status == 0);
        start.config.certificate_password_file.clear();
        CHECK(start.check().status == 0);
    }
    SECTION("with a wrong password") {
        use(good, "other");
        CHECK(says("cannot be opened with this password, or is damaged"));
        CHECK_FALSE(start.check().says("other"));
    }
    SECTION("with a file of a password that is not there") {
        start.config.certificate_password_file = start.dir / "none";
        CHECK(says("apps.chat.apns.certificate_password_file"));
    }
    SECTION("without a private key") {
        use(pkcs12::decode(pkcs12::kWithoutKey), pkcs12::kPassword);
        CHECK(says("holds no private key; export the certificate with its key"));
    }
    SECTION("under an encryption that is not read") {
        use(pkcs12::decode(pkcs12::kUnknownEncryption), pkcs12::kPassword);
        CHECK(says("cannot be decrypted"));
        // A log line has an end, but what `check` prints has none.
        CHECK(start.check().says("openssl pkcs12 -export -in all.pem -out NEW.p12"));
    }
    SECTION("which has expired") {
        use(issue("org.example.chat", {.validity = Validity::expired}), "secret");
        CHECK(says("has expired; get a new one from Apple"));
    }
    SECTION("which is for another app") {
        use(issue("Apple Push Services: org.example.other"), "secret");
        CHECK(says("the certificate is not for this topic"));
    }
    SECTION("with a key beside it") {
        start.config.certificate_key = start.dir.write("client.key", "");
        start.config.certificate_password_file.clear();
        CHECK(says("is PKCS#12 and holds its key: take certificate_key away"));
    }
    SECTION("which is none") {
        use("nothing\n", "secret");
        CHECK(says("is no PKCS#12 file, or is damaged or cut short"));
    }
    CHECK_FALSE(std::filesystem::exists(start.config.data_dir));
}

TEST_CASE("an address that is taken stops the start", "[start]") {
    Start start;
    const Occupied other;
    const auto says = [&](std::string_view words) {
        const Outcome outcome = start.serve();
        UNSCOPED_INFO(outcome.text);
        return outcome.status == 1 && outcome.text.find(words) != std::string::npos &&
               outcome.text.find("event=serving") == std::string::npos;
    };
    SECTION("a listener's") {
        start.config.listeners = "[[listen]]\naddress = \"" + other.address() + "\"\n";
        CHECK(says(other.address()));
        CHECK(says("Address already in use"));
    }
    SECTION("the operator's") {
        start.config.admin = other.address();
        CHECK(says(other.address()));
        CHECK(says("Address already in use"));
    }
    SECTION("one that is not of this machine") {
        start.config.listeners = "[[listen]]\naddress = \"192.0.2.1:8080\"\n";
        CHECK(says("192.0.2.1:8080"));
        CHECK(says("Cannot assign requested address"));
    }
    SECTION("a Unix socket in a folder that is not there") {
        const std::string path = start.dir / "absent/knuckle.sock";
        start.config.listeners = "[[listen]]\naddress = \"unix:" + path + "\"\n";
        CHECK(says(path));
        CHECK(says("No such file"));
    }
}

TEST_CASE("a data directory that is no good stops the start", "[start]") {
    Start start;
    const auto says = [&](std::string_view words) {
        const Outcome outcome = start.serve();
        UNSCOPED_INFO(outcome.text);
        return outcome.says(words) && outcome.says(start.config.data_dir);
    };
    SECTION("a file in its place") {
        start.config.data_dir = start.dir.write("data", "I am a file.\n");
        CHECK(says("Not a directory"));
    }
    SECTION("one whose parent is not there") {
        start.config.data_dir = start.dir / "absent/data";
        CHECK(says("No such file"));
    }
    SECTION("one that is read-only for everybody, root too") {
        start.config.data_dir = "/proc/self";
        CHECK(start.serve().says("/proc/self"));
    }
    SECTION("one that we may not write") {
        std::filesystem::create_directory(start.config.data_dir);
        std::filesystem::permissions(start.config.data_dir, std::filesystem::perms(0555));
        const Outcome outcome = start.serve_as_nobody();
        if (outcome.status == 127) SKIP("nobody may not run the program from here");
        UNSCOPED_INFO(outcome.text);
        CHECK(outcome.says(start.config.data_dir));
        CHECK(outcome.says("Permission denied"));
    }
    SECTION("one that we may not make") {
        start.config.data_dir = "/knuckle-test-data";
        const Outcome outcome = start.serve_as_nobody();
        if (outcome.status == 127) SKIP("nobody may not run the program from here");
        UNSCOPED_INFO(outcome.text);
        CHECK(outcome.says("/knuckle-test-data"));
        CHECK(outcome.says("Permission denied"));
    }
    SECTION("a database without its key") {
        {
            Gateway gateway(KNUCKLE_BINARY, start.config);
            CHECK(gateway.stop() == 0);
        }
        std::filesystem::remove(start.config.data_dir + "/store.key");
        CHECK(says("key"));
    }
    SECTION("a database with the key of another") {
        {
            Gateway gateway(KNUCKLE_BINARY, start.config);
            CHECK(gateway.stop() == 0);
        }
        const std::string key_file = start.config.data_dir + "/store.key";
        std::string key = read_whole_file(key_file);
        REQUIRE(key.starts_with("lookup "));
        char& digit = key[std::string_view("lookup ").size()];
        digit = digit == '0' ? '1' : '0';
        std::filesystem::permissions(key_file, std::filesystem::perms(0600));
        std::FILE* const file = std::fopen(key_file.c_str(), "w");
        REQUIRE(file != nullptr);
        std::fputs(key.c_str(), file);
        std::fclose(file);
        CHECK(says("does not belong to this database"));
    }
    SECTION("a database that is damaged") {
        std::filesystem::create_directory(start.config.data_dir);
        {
            Gateway gateway(KNUCKLE_BINARY, start.config);
            CHECK(gateway.stop() == 0);
        }
        std::FILE* const file = std::fopen((start.config.data_dir + "/data.mdb").c_str(), "r+");
        REQUIRE(file != nullptr);
        for (int i = 0; i < 8'192; ++i) std::fputc('x', file);
        std::fclose(file);
        CHECK(start.serve().says(start.config.data_dir));
    }
}

TEST_CASE("one data directory serves one gateway", "[start]") {
    Start start;
    Gateway first(KNUCKLE_BINARY, start.config);
    const Outcome second = start.serve();
    INFO(second.text);
    CHECK(second.says("another process serves from the data directory"));
    CHECK(first.admin("/healthz").status == 200);
    CHECK(first.stop() == 0);
    Gateway third(KNUCKLE_BINARY, start.config);
    CHECK(third.stop() == 0);
}

TEST_CASE("the system's authorities are trusted unless others are named", "[start]") {
    Start start;
    start.config.ca_file = "";
    if (std::filesystem::exists("/etc/ssl/certs/ca-certificates.crt")) {
        CHECK(start.check().status == 0);
    } else {
        CHECK(start.check().text.find("apt install ca-certificates") != std::string::npos);
    }
}

}  // namespace knuckle::test
