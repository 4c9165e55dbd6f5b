// SPDX-License-Identifier: GPL-3.0-or-later
// sim_apns: the simulated APNs as a program, for `make run`, the integration tests and the
// benchmark. `sim_apns --help` says how.
//
// It prints one line when it serves, "READY port=... control=... key_id=... team_id=...", and ends
// with status 0 on SIGTERM or SIGINT.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/signals.h"
#include "tests/mock/sim_apns.h"
#include "tests/support/certificates.h"
#include "tls/context.h"

namespace {

using namespace knuckle;

constexpr const char* kHelp =
    "sim_apns: a simulated Apple Push Notification service on loopback.\n"
    "\n"
    "  --dir DIR        certificates and the provider's key live here: ca.pem, server.pem,\n"
    "                   server.key, apns.p8, client.pem, client.key, client.p12 (its\n"
    "                   password is knuckle); made if they are missing (required)\n"
    "  --port N         of APNs; 0, the default, is any free one\n"
    "  --control N      of the control interface, see tests/mock/apns_control.h; 0 is any\n"
    "  --topic ID       a bundle id of the team; may be repeated (default org.example.demo)\n"
    "  --key-id ID      of apns.p8 (default DEMOKEY123)\n"
    "  --team-id ID     (default DEMOTEAM12)\n"
    "  --name NAME      that server.pem is made for; may be repeated (default localhost,\n"
    "                   127.0.0.1 and ::1)\n"
    "  --tls MODE       how it shows itself, which POST /tls changes: good (the default),\n"
    "                   no_alpn, http1, wrong_host, expired, unknown_ca, or\n"
    "                   demands_certificate: of the client's, as client.pem of the first topic\n"
    "  --alpn PROTOCOL  that is spoken of; 'none' for no ALPN (default h2)\n"
    "  --environment E  sandbox (the default) or production\n"
    "  --delay-ms N     before each answer\n"
    "  --error-budget N points of refusals that end a connection (default 0: none do)\n"
    "  --keep N         requests whose texts are kept for /arrivals (default 64)\n"
    "  --print          a line for each push\n"
    "  --fast           no validation, for benchmarks\n";

struct Arguments {
    std::string directory;
    uint16_t port = 0;
    uint16_t control = 0;
    std::vector<std::string> topics;
    std::vector<std::string> names;
    std::string key_id = "DEMOKEY123";
    std::string team_id = "DEMOTEAM12";
    std::string alpn = "h2";
    std::string tls = "good";
    mock::SimApnsOptions options;
};

[[noreturn]] void give_up(const std::string& why) { throw std::runtime_error(why); }

uint64_t to_number(const std::string& text, uint64_t max) {
    const std::optional<uint64_t> number = parse_decimal(text);
    if (!number || *number > max) give_up("'" + text + "' is not a number that fits; see --help");
    return *number;
}

Arguments parse(const std::vector<std::string>& words) {
    Arguments arguments;
    for (size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        const auto value = [&]() -> const std::string& {
            if (i + 1 == words.size()) give_up(word + " needs a value; see --help");
            return words[++i];
        };
        mock::SimApnsOptions& options = arguments.options;
        if (word == "--dir") {
            arguments.directory = value();
        } else if (word == "--port") {
            arguments.port = static_cast<uint16_t>(to_number(value(), UINT16_MAX));
        } else if (word == "--control") {
            arguments.control = static_cast<uint16_t>(to_number(value(), UINT16_MAX));
        } else if (word == "--topic") {
            arguments.topics.push_back(value());
        } else if (word == "--key-id") {
            arguments.key_id = value();
        } else if (word == "--team-id") {
            arguments.team_id = value();
        } else if (word == "--name") {
            arguments.names.push_back(value());
        } else if (word == "--tls") {
            arguments.tls = value();
        } else if (word == "--alpn") {
            arguments.alpn = value();
        } else if (word == "--environment") {
            const std::string& name = value();
            options.apns.is_sandbox = name == "sandbox";
            if (name != "sandbox" && name != "production") give_up("--environment " + name + "?");
        } else if (word == "--delay-ms") {
            options.delay = milliseconds(static_cast<int64_t>(to_number(value(), 3'600'000)));
        } else if (word == "--error-budget") {
            options.apns.error_budget = static_cast<uint32_t>(to_number(value(), UINT32_MAX));
        } else if (word == "--keep") {
            options.apns.arrivals_max = to_number(value(), 10'000'000);
        } else if (word == "--print") {
            options.prints_arrivals = true;
        } else if (word == "--fast") {
            options.is_fast = true;
        } else {
            give_up("what is '" + word + "'? see --help");
        }
    }
    if (arguments.directory.empty()) give_up("--dir is missing; see --help");
    if (arguments.topics.empty()) arguments.topics = {"org.example.demo"};
    if (arguments.names.empty()) arguments.names = {"localhost", "127.0.0.1", "::1"};
    if (arguments.alpn == "none") arguments.alpn.clear();
    if (arguments.options.is_fast) {
        arguments.options.apns.checks_requests = false;
        arguments.options.apns.arrivals_max = 0;
        arguments.options.apns.is_sandbox = false;  // a field less in each answer
    }
    arguments.options.apns.topics = arguments.topics;
    return arguments;
}

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file || text.empty()) give_up(path.string() + " cannot be read");
    return text;
}

// Complete or not at all: a gateway may be reading them already.
void write_file(const std::filesystem::path& path, const std::string& text) {
    const std::filesystem::path draft = path.string() + ".new";
    std::ofstream file(draft, std::ios::binary);
    file << text;
    file.close();
    if (!file) give_up(path.string() + " cannot be written");
    std::filesystem::permissions(draft, std::filesystem::perms(0600));
    std::filesystem::rename(draft, path);
}

void write_identity(const std::filesystem::path& stem, const test::Identity& identity) {
    write_file(stem.string() + ".key", identity.key_pem);
    write_file(stem.string() + ".pem", identity.certificate_pem);
}

void make_files(const std::filesystem::path& directory,
                const std::vector<std::string>& names,
                const std::string& topic) {
    std::filesystem::create_directories(directory);
    if (!std::filesystem::exists(directory / "server.pem")) {
        const test::Authority authority = test::make_authority("Simulated APNs CA");
        const test::Authority stranger = test::make_authority("Unknown CA");
        write_file(directory / "ca.pem", authority.certificate_pem);
        write_identity(directory / "wrong_host",
                       test::issue_server(authority, {"push.example.net"}));
        write_identity(directory / "expired",
                       test::issue_server(authority, names, {.validity = test::Validity::expired}));
        write_identity(directory / "unknown_ca", test::issue_server(stranger, names));
        const test::Identity client = test::issue_client(
            authority, "Apple Push Services: " + topic, {.topics = {topic, topic + ".voip"}});
        write_identity(directory / "client", client);
        write_file(directory / "client.p12", test::export_pkcs12(client, "knuckle"));
        write_identity(directory / "server", test::issue_server(authority, names));
    }
    if (!std::filesystem::exists(directory / "apns.p8")) {
        // Apple's .p8 is any P-256 key as PKCS#8 in PEM, and so is the key of an identity.
        const test::Authority nobody = test::make_authority("Nobody");
        write_file(directory / "apns.p8", test::issue_client(nobody, "provider").key_pem);
    }
}

tls::Context read_identity(const std::filesystem::path& stem,
                           const std::string& alpn,
                           const std::string& client_ca = {}) {
    const std::string certificate = read_file(stem.string() + ".pem");
    const std::string key = read_file(stem.string() + ".key");
    Result<tls::Context> context = tls::Context::server(
        {.certificate_pem = certificate, .key_pem = key, .alpn = alpn, .client_ca_pem = client_ca});
    if (!context) give_up(stem.string() + ": " + context.error().what);
    return std::move(*context);
}

// All that --tls can choose from. A folder made by an earlier version has fewer files.
std::map<std::string, tls::Context> read_faces(const std::filesystem::path& directory,
                                               const std::string& alpn) {
    std::map<std::string, tls::Context> faces;
    faces.emplace("good", read_identity(directory / "server", alpn));
    faces.emplace("no_alpn", read_identity(directory / "server", ""));
    faces.emplace("http1", read_identity(directory / "server", "http/1.1"));
    faces.emplace(mock::kDemandsCertificate,
                  read_identity(directory / "server", alpn, read_file(directory / "ca.pem")));
    for (const char* name : {"wrong_host", "expired", "unknown_ca"}) {
        if (!std::filesystem::exists(directory / (std::string(name) + ".pem"))) continue;
        faces.emplace(name, read_identity(directory / name, alpn));
    }
    return faces;
}

uint16_t listen(net::Loop& loop, uint16_t port) {
    const io::Endpoint endpoint{.host = "127.0.0.1", .port = port, .unix_path = {}};
    const Result<int> fd = net::bind_listener(endpoint);
    if (!fd) give_up("port " + std::to_string(port) + ": " + fd.error().what);
    const uint16_t bound = net::bound_port(*fd);
    if (const Result<void> result = loop.listen(*fd, false); !result) give_up(result.error().what);
    return bound;
}

// What a signal ends.
struct Stopping {
    net::Loop& loop;
    net::Signals* signals = nullptr;
};

int serve(const Arguments& arguments) {
    const std::filesystem::path directory = arguments.directory;
    make_files(directory, arguments.names, arguments.topics.front());
    const std::map<std::string, tls::Context> faces = read_faces(directory, arguments.alpn);
    ::signal(SIGPIPE, SIG_IGN);
    net::Loop loop({.connections_max = 4'096});
    mock::SimApns apns(loop, faces.at("good"), arguments.options);
    for (const auto& [mode, context] : faces) apns.add_tls(mode, context);
    if (!apns.choose_tls(arguments.tls)) give_up("--tls " + arguments.tls + "? see --help");
    const Result<void> added = apns.behavior().add_key(
        {arguments.key_id, arguments.team_id, read_file(directory / "apns.p8")});
    if (!added) give_up(std::string("apns.p8: ") + added.error().what);
    const uint16_t port = listen(loop, arguments.port);
    const uint16_t control = listen(loop, arguments.control);

    Stopping stopping{loop};
    net::Signals signals(
        loop,
        {SIGTERM, SIGINT},
        [](void* context, int) {
            Stopping& self = *static_cast<Stopping*>(context);
            self.signals->close();
            self.loop.stop();
        },
        &stopping);
    stopping.signals = &signals;
    std::printf("READY port=%u control=%u key_id=%s team_id=%s\n",
                port,
                control,
                arguments.key_id.c_str(),
                arguments.team_id.c_str());
    std::fflush(stdout);
    loop.run(apns);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (!words.empty() && words.front() == "--help") {
        std::fputs(kHelp, stdout);
        return 0;
    }
    try {
        return serve(parse(words));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "sim_apns: %s\n", error.what());
        return 1;
    }
}
