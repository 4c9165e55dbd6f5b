// SPDX-License-Identifier: GPL-3.0-or-later
// The real gateway as a process, with a configuration of the test's own, and the simulated APNs it
// talks to.
//
//     ApnsProcess apns({.program = SIM_APNS_BINARY, .directory = dir / "apns"});
//     GatewayConfig config(dir); config.point_to(apns);
//     Gateway gateway(KNUCKLE_BINARY, config);     serves; wait_until_ready() for the provider
//     gateway.stop() == 0
//
// Throws std::runtime_error, with the log, when one of them does not come up.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace knuckle::test {

struct ApnsProcessOptions {
    std::string program;
    std::string directory;
    uint16_t port = 0;
    std::vector<std::string> more = {};  // arguments
};

class ApnsProcess {
public:
    explicit ApnsProcess(const ApnsProcessOptions& options);

    [[nodiscard]] uint16_t port() const { return port_; }
    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] std::string file(std::string_view name) const {
        return directory_ + "/" + std::string(name);
    }
    // One of the counters of /ledger, by JSON pointer.
    [[nodiscard]] int64_t count(std::string_view pointer);
    // The last requests, oldest first, each as JSON.
    [[nodiscard]] std::vector<std::string> arrivals();
    void tell(std::string_view path, std::string_view json = "{}");
    [[nodiscard]] Process& process() { return process_; }
    int stop();

private:
    std::string ask(std::string_view path);

    std::string directory_;
    size_t output_begin_;  // what an earlier process wrote lies before
    Process process_;
    uint16_t port_ = 0;
    std::unique_ptr<HttpClient> control_;
};

struct GatewayConfig {
    explicit GatewayConfig(const TempDir& dir);

    void point_to(const ApnsProcess& apns);
    [[nodiscard]] std::string text() const;
    // What stands in [apps.NAME.apns]: where the provider is, and who we are to it.
    [[nodiscard]] std::string apns_keys() const;
    // Writes it and returns the file's name.
    std::string write() const;

    std::string folder;
    std::string data_dir;
    int workers = 1;
    std::string listeners = "[[listen]]\naddress = \"127.0.0.1:0\"\n";
    std::string admin = "127.0.0.1:0";
    std::string top;  // more keys of the process: whole lines, as all that follow
    std::string tables;
    // Of [limits]. Tests do with one phone what thousands do; those of limits replace it.
    std::string limits =
        "knocks_per_token = \"off\"\nknocks_per_account = \"off\"\nalert_window = \"0s\"\n"
        "logins_per_account = \"off\"\ntokens_per_account = \"off\"\n";
    std::string chatsecure;
    std::string app;
    std::string environment = "sandbox";
    std::string endpoint = "127.0.0.1:9";
    std::string ca_file;
    std::string key_file;
    std::string certificate;                // a client certificate instead of the key
    std::string certificate_key;            // of one in PEM
    std::string certificate_password_file;  // of one in PKCS#12
    std::string apns;
};

class Gateway {
public:
    Gateway(const std::string& program, const GatewayConfig& config);

    void wait_until_ready();
    // Of /readyz: status and text.
    [[nodiscard]] HttpResponse readiness() const { return admin("/readyz"); }
    [[nodiscard]] HttpResponse admin(std::string_view path) const;
    // A number in /metrics, by its name and labels as they stand there; -1 if there is none.
    [[nodiscard]] double metric(std::string_view name) const;

    [[nodiscard]] uint16_t admin_port() const { return admin_port_; }
    // Of the listener, in the order of the configuration; Unix sockets do not count.
    [[nodiscard]] uint16_t port(size_t listener = 0) const { return ports_.at(listener); }
    [[nodiscard]] std::string log() const { return process_.output().substr(log_begin_); }
    [[nodiscard]] size_t count_in_log(std::string_view text) const;
    [[nodiscard]] Process& process() { return process_; }
    // SIGTERM; the exit status, or -1 if it does not end.
    int stop();

private:
    size_t log_begin_;  // what an earlier process wrote lies before
    Process process_;
    std::vector<uint16_t> ports_;
    uint16_t admin_port_ = 0;
};

// A phone that has an account, registered its device and made a token.
struct Phone {
    std::string auth;
    std::string device;                     // our id of it
    std::string registration;               // APNs' token of it
    std::string token;                      // to knock with
    std::string host = "push.example.org";  // of its app
};

// 64 lower-case hexadecimal digits, different for each number.
[[nodiscard]] std::string registration_of(uint64_t number);
[[nodiscard]] std::string register_account(HttpClient& client, std::string_view name);
[[nodiscard]] Phone register_phone(HttpClient& client,
                                   const std::string& auth,
                                   const std::string& registration);
[[nodiscard]] Phone register_phone(HttpClient& client,
                                   std::string_view name,
                                   uint64_t registration_number = 1);
// Knocks once, and waits until the gateway has written down that APNs knows the phone.
void prove(const Gateway& gateway, HttpClient& client, const Phone& phone);
// {"token":...}, with "data" if it is not empty.
[[nodiscard]] std::string knock_json(const Phone& phone, std::string_view data = {});

}  // namespace knuckle::test
