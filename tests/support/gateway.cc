// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/gateway.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "base/text.h"
#include "tests/support/json_fields.h"

namespace knuckle::test {

namespace {

constexpr const char* kTopic = "org.example.chat";
constexpr const char* kKeyId = "KEY1234567";
constexpr const char* kTeamId = "TEAM123456";

// The number behind `name` in the text; 0 if it is not there.
uint16_t port_after(const std::string& text, std::string_view name) {
    const size_t at = text.find(name);
    if (at == std::string::npos) return 0;
    const size_t begin = at + name.size();
    const size_t end = text.find_first_not_of("0123456789", begin);
    if (end == std::string::npos) return 0;  // perhaps not written to its end yet
    return static_cast<uint16_t>(
        parse_decimal(std::string_view(text).substr(begin, end - begin)).value_or(0));
}

// A line of the configuration.
std::string key(std::string_view name, std::string_view value) {
    return std::string(name) + " = \"" + std::string(value) + "\"\n";
}

std::vector<std::string> words_of(const ApnsProcessOptions& options) {
    std::vector<std::string> words = {options.program,
                                      "--dir",
                                      options.directory,
                                      "--port",
                                      std::to_string(options.port),
                                      "--topic",
                                      kTopic,
                                      "--key-id",
                                      kKeyId,
                                      "--team-id",
                                      kTeamId};
    words.insert(words.end(), options.more.begin(), options.more.end());
    return words;
}

}  // namespace

ApnsProcess::ApnsProcess(const ApnsProcessOptions& options)
    : directory_(options.directory),
      output_begin_(read_whole_file(options.directory + ".output").size()),
      process_(words_of(options), options.directory + ".output") {
    uint16_t control = 0;
    eventually([&] {
        const std::string output = process_.output().substr(output_begin_);
        port_ = port_after(output, "READY port=");
        control = port_after(output, " control=");
        return control != 0 || !process_.is_running();
    });
    if (control == 0 || !process_.is_running()) {
        throw std::runtime_error("sim_apns did not start: " + process_.output());
    }
    control_ = std::make_unique<HttpClient>(control);
}

std::string ApnsProcess::ask(std::string_view path) {
    const HttpResponse response = control_->get(path);
    if (response.status != 200) throw std::runtime_error("sim_apns: " + response.body);
    return response.body;
}

int64_t ApnsProcess::count(std::string_view pointer) {
    return json_number(ask("/ledger"), pointer);
}

std::vector<std::string> ApnsProcess::arrivals() { return json_elements(ask("/arrivals")); }

void ApnsProcess::tell(std::string_view path, std::string_view json) {
    const HttpResponse response = control_->post(path, json);
    if (response.status != 200) throw std::runtime_error("sim_apns: " + response.body);
}

int ApnsProcess::stop() {
    process_.signal(SIGTERM);
    return process_.wait(kPatience).value_or(-1);
}

GatewayConfig::GatewayConfig(const TempDir& dir) : folder(dir.path()), data_dir(dir / "data") {}

void GatewayConfig::point_to(const ApnsProcess& process) {
    endpoint = "127.0.0.1:" + std::to_string(process.port());
    ca_file = process.file("ca.pem");
    key_file = process.file("apns.p8");
}

std::string GatewayConfig::apns_keys() const {
    const std::string credential =
        certificate.empty()
            ? key("key_file", key_file) + key("key_id", kKeyId) + key("team_id", kTeamId)
            : key("certificate", certificate) + key("certificate_key", certificate_key) +
                  key("certificate_password_file", certificate_password_file);
    return key("topic", kTopic) + key("environment", environment) + key("endpoint", endpoint) +
           key("ca_file", ca_file) + credential;
}

std::string GatewayConfig::text() const {
    return key("data_dir", data_dir) + "workers = " + std::to_string(workers) + "\n" + top +
           listeners + "[admin]\n" + key("address", admin) + tables + "[limits]\n" + limits +
           "[chatsecure]\n" + key("base_url", "https://push.example.org/api/v1/") + chatsecure +
           "[apps.chat]\n" + app + "[apps.chat.apns]\n" + apns_keys() + apns;
}

std::string GatewayConfig::write() const {
    const std::string path = folder + "/knuckle.toml";
    std::FILE* const file = std::fopen(path.c_str(), "w");
    if (file == nullptr) throw std::runtime_error("cannot write " + path);
    std::fputs(text().c_str(), file);
    std::fclose(file);
    return path;
}

Gateway::Gateway(const std::string& program, const GatewayConfig& config)
    : log_begin_(read_whole_file(config.folder + "/knuckle.log").size()),
      process_({program, "serve", "--config", config.write()}, config.folder + "/knuckle.log") {
    eventually([this] {
        return log().find("event=serving") != std::string::npos || !process_.is_running();
    });
    if (!process_.is_running()) throw std::runtime_error("knuckle did not start: " + log());
    const std::string text = log();
    constexpr std::string_view kListening = "event=listening on=127.0.0.1:";
    for (size_t at = text.find(kListening); at != std::string::npos;
         at = text.find(kListening, at + 1)) {
        ports_.push_back(port_after(text.substr(at), kListening));
    }
    admin_port_ = port_after(text, "event=admin_listening on=127.0.0.1:");
}

void Gateway::wait_until_ready() {
    if (!eventually([this] { return readiness().status == 200; })) {
        throw std::runtime_error("not ready: " + readiness().body + log());
    }
}

HttpResponse Gateway::admin(std::string_view path) const {
    return HttpClient(admin_port_).get(path);
}

double Gateway::metric(std::string_view name) const {
    const std::string text = "\n" + admin("/metrics").body;
    const std::string line = "\n" + std::string(name) + " ";
    const size_t at = text.find(line);
    return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + line.size(), nullptr);
}

size_t Gateway::count_in_log(std::string_view text) const {
    const std::string all = log();
    size_t count = 0;
    for (size_t at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++count;
    return count;
}

int Gateway::stop() {
    process_.signal(SIGTERM);
    return process_.wait(seconds(30)).value_or(-1);
}

std::string registration_of(uint64_t number) {
    std::string digits(64, '0');
    for (size_t i = digits.size(); number != 0; number /= 16) {
        digits[--i] = "0123456789abcdef"[number % 16];
    }
    return digits;
}

std::string register_account(HttpClient& client, std::string_view name) {
    const HttpResponse account = client.post(
        "/api/v1/accounts/",
        R"({"username":")" + std::string(name) + R"(","password":"correct horse battery"})");
    if (account.status != 200) throw std::runtime_error("account: " + account.body);
    return json_string(account.body, "/token");
}

Phone register_phone(HttpClient& client, const std::string& auth, const std::string& registration) {
    Phone phone;
    phone.auth = auth;
    phone.registration = registration;
    const HttpResponse device = client.post(
        "/api/v1/device/apns/", R"({"registration_id":")" + registration + R"("})", auth);
    if (device.status != 201) throw std::runtime_error("device: " + device.body);
    phone.device = json_string(device.body, "/id");
    const HttpResponse token =
        client.post("/api/v1/tokens/", R"({"apns_device":")" + phone.device + R"("})", auth);
    if (token.status != 201) throw std::runtime_error("token: " + token.body);
    phone.token = json_string(token.body, "/token");
    return phone;
}

Phone register_phone(HttpClient& client, std::string_view name, uint64_t registration_number) {
    return register_phone(
        client, register_account(client, name), registration_of(registration_number));
}

void prove(const Gateway& gateway, HttpClient& client, const Phone& phone) {
    const auto writes = [&gateway] { return gateway.metric("knuckle_store_writes_total"); };
    const double before = writes();
    const HttpResponse answer = client.post("/api/v1/messages/", knock_json(phone, "0"));
    if (answer.status != 202 || !eventually([&] { return writes() > before; }))
        throw std::runtime_error("the phone is not proven: " + answer.body);
}

std::string knock_json(const Phone& phone, std::string_view data) {
    std::string json = R"({"token":")" + phone.token + "\"";
    if (!data.empty()) json += R"(,"data":")" + std::string(data) + "\"";
    return json + "}";
}

}  // namespace knuckle::test
