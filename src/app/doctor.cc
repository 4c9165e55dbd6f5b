// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/doctor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timex.h>
#include <unistd.h>
#include <vector>

#include "app/assembly.h"
#include "app/certificate_board.h"
#include "app/clock.h"
#include "app/describe.h"
#include "app/files.h"
#include "app/mint_times.h"
#include "app/probe.h"
#include "base/text.h"
#include "crypto/random.h"
#include "push/apns.h"
#include "store/env.h"
#include "store/key_file.h"

namespace knuckle::app {

namespace {

constexpr uint64_t kFreeBytesMin = 256ULL * 1024 * 1024;
constexpr Duration kSkewMax = seconds(30);
constexpr std::string_view kBody = R"({"aps":{"alert":"knuckle doctor"}})";
// File systems of the network, by their magic numbers (statfs(2)).
constexpr std::array<int64_t, 5> kRemote{
    0x6969 /* nfs */, 0xff534d42 /* cifs */, 0xfe534d42 /* smb2 */, 0x01021997 /* 9p */, 0x00c36400
    /* ceph */};

// What a reason of the provider asks of the operator; Apple, "Handling notification responses".
struct Advice {
    std::string_view reason;
    std::string_view what;
};
constexpr Advice kAdvice[] = {
    {"BadDeviceToken",
     "the device token is not one, or of the other environment: see 'environment' of the app"},
    {"DeviceTokenNotForTopic", "the device token belongs to another app: see 'topic'"},
    {"Unregistered", "the app is no longer on that phone: take a fresh device token"},
    {"TopicDisallowed", "the key may not push to this topic: see 'topic' and the key's scope"},
    {"BadTopic", "the topic is not a bundle id: see 'topic'"},
    {"InvalidProviderToken",
     "key and ids do not fit together: see 'key_file', 'key_id' and 'team_id'"},
    {"ExpiredProviderToken", "this machine's clock is wrong: set it, and keep it right with NTP"},
    {"BadEnvironmentKeyIdInToken", "the key is for the other environment: see 'environment'"},
    {"UnrelatedKeyIdInToken", "the key is for other topics: see 'key_file' and 'topic'"},
    {"TooManyProviderTokenUpdates", "too many provider tokens in 20 minutes: wait, then try again"},
};

std::string advice_for(std::string_view reason) {
    for (const Advice& each : kAdvice) {
        if (each.reason == reason) return std::string(each.what);
    }
    return "see Apple's page \"Handling notification responses from APNs\"";
}

std::string describe_end(UnixTime end, UnixTime now) {
    const std::string day = format_date(end).substr(0, 10);
    if (end < now) return "expired on " + day;
    const int64_t days = (to_unix_seconds(end) - to_unix_seconds(now)) / 86'400;
    return "good until " + day + " (" + std::to_string(days) + " days)";
}

std::string describe_issuer(const std::string& issuer) {
    return issuer.empty() ? "" : ", issued by \"" + issuer + "\"";
}

// Of all that was shown the first to end counts; the last one's issuer is whom we trust, or not.
std::string describe_chain(const std::vector<tls::CertificateFacts>& shown, UnixTime now) {
    if (shown.empty()) return "unknown";
    const auto first_to_end =
        std::ranges::min_element(shown, {}, [](const auto& each) { return each.not_after; });
    std::string text = describe_end(first_to_end->not_after, now);
    text += describe_issuer(shown.front().issuer);
    if (shown.back().issuer != shown.front().issuer && !shown.back().issuer.empty())
        text += ", under \"" + shown.back().issuer + "\"";
    return text;
}

std::string name_of(const engine::LaneOptions& lane) {
    return "app " + lane.name + ", " + lane.endpoint.text();
}

class Doctor {
public:
    Doctor(const config::Config& config, const std::string& config_path)
        : config_(config), config_path_(config_path) {}

    int run(const DoctorOptions& options);

private:
    void fine(const std::string& what) { std::printf("ok    %s\n", what.c_str()); }
    void wrong(const std::string& what, const std::string& remedy) {
        std::printf("WRONG %s\n      do: %s\n", what.c_str(), remedy.c_str());
        is_fine_ = false;
    }
    // What cannot be told from here and is no fault.
    void note(const std::string& what) { std::printf("note  %s\n", what.c_str()); }

    bool check_config();
    void check_data_dir();
    void check_key_file();
    void check_descriptors();
    void check_clock();
    void check_certificates();
    void compare_clocks(const std::string& who, Duration ahead);
    void check_lane(const engine::LaneOptions& lane);
    bool require(Stage wanted, const std::string& who, const ProbeResult& result);
    void send(const DoctorOptions& options);
    void send(const engine::LaneOptions& lane, const push::Job& job);

    const config::Config& config_;
    const std::string& config_path_;
    Assembly assembly_;
    bool is_fine_ = true;
};

bool Doctor::check_config() {
    const std::vector<config::Mistake> mistakes = assemble(config_, assembly_);
    for (const config::Mistake& mistake : mistakes)
        wrong(config::describe(config_path_, mistake), "correct that line, or the file it names");
    if (mistakes.empty()) fine("configuration " + config_path_ + " and the files that it names");
    return mistakes.empty();
}

void Doctor::check_data_dir() {
    const std::string& folder = config_.data_dir;
    if (::access(folder.c_str(), F_OK) != 0 && errno == ENOENT)
        return note("data_dir " + folder + " is not there yet; the first start makes it");
    if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
        return wrong(
            "data_dir " + folder + ": " + describe(fail(Errc::system, "cannot be written", errno)),
            "run this as the gateway's user or as root, or give that user the folder");
    }
    struct statfs facts{};
    if (::statfs(folder.c_str(), &facts) != 0)
        return wrong("data_dir " + folder + ": " + describe(fail(Errc::system, "", errno)),
                     "look at the disk");
    if (std::ranges::find(kRemote, static_cast<int64_t>(facts.f_type)) != kRemote.end()) {
        return wrong("data_dir " + folder + " is on a network file system",
                     "move it to a local disk: the database is mapped and locked");
    }
    const uint64_t free_bytes = facts.f_bavail * static_cast<uint64_t>(facts.f_bsize);
    const std::string free_text = std::to_string(free_bytes / (1024 * 1024)) + " MiB free";
    if (free_bytes < kFreeBytesMin)
        return wrong("data_dir " + folder + ": only " + free_text, "make room on that disk");
    fine("data_dir " + folder + ": writable, local, " + free_text);
}

void Doctor::check_key_file() {
    const Result<std::string> path = resolve_path(config_.store_key_file);
    if (!path) {
        return wrong("store_key_file " + config_.store_key_file + ": " + describe(path.error()),
                     "name the folder of the keys, or the file itself");
    }
    const Result<store::Keys> keys = store::load_or_create_keys(*path, false);
    if (keys) return fine("store_key_file " + *path + ": readable, and by no others");
    if (keys.error().code == Errc::not_found && !store::Env::exists(config_.data_dir))
        return note("store_key_file " + *path + " is not there yet; the first start makes it");
    wrong("store_key_file " + *path + ": " + describe(keys.error()),
          "put the key file of this database back, mode 600 and owned by the gateway's user; "
          "without it the database is lost");
}

void Doctor::check_descriptors() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return note("file descriptors: limit not known");
    const uint64_t wanted = uint64_t{assembly_.options.workers} * config_.connections_max + 1'024;
    const std::string text = std::to_string(limit.rlim_max) + " file descriptors allowed here";
    if (limit.rlim_max >= wanted) return fine(text);
    note(text + "; connections_max times workers may need " + std::to_string(wanted) +
         " (the service's own limit is LimitNOFILE= in its unit)");
}

// Without a push nobody tells us the time; the kernel knows whether somebody keeps its clock.
void Doctor::check_clock() {
    timex state{};
    const int result = ::adjtimex(&state);
    if (result >= 0 && result != TIME_ERROR) return fine("clock: kept right (the kernel says)");
    note(
        "clock: nobody seems to keep it right; Apple refuses provider tokens when it is wrong by "
        "minutes, so use NTP. --send tells for sure");
}

// The provider's answer may name the time; Apple's need not.
void Doctor::compare_clocks(const std::string& who, Duration ahead) {
    const int64_t seconds = ahead.ns / 1'000'000'000;
    const std::string amount = std::to_string(std::abs(seconds)) + " s";
    const std::string whose = " the provider's of " + who;
    if (ahead <= kSkewMax && Duration{} - ahead <= kSkewMax)
        return fine("clock: within " + amount + " of" + whose);
    wrong("clock: " + amount + (seconds > 0 ? " behind" : " ahead of") + whose,
          "set this machine's clock and keep it right (timedatectl set-ntp true): Apple refuses "
          "provider tokens that are minutes off");
}

void Doctor::check_certificates() {
    const UnixTime now = read_clock();
    for (const OwnCertificate& each : assembly_.certificates) {
        std::string text = "certificate of " + each.name + ": ";
        text.append(describe_end(each.not_after, now)).append(describe_issuer(each.issuer));
        const std::string remedy = "get a new one: OPERATIONS.md, \"Changing a certificate\"";
        if (each.not_after < now + kCertificateAlarm) {
            wrong(text, remedy);
        } else if (each.not_after < now + kCertificateWarning) {
            note(text.append("; soon ").append(remedy));
        } else {
            fine(text);
        }
    }
}

// Reports what keeps it from the stage that is wanted, and what to do; false if something does.
bool Doctor::require(Stage wanted, const std::string& who, const ProbeResult& result) {
    const std::string what = who + ": " + describe(result.why);
    if (result.stage >= wanted) return true;
    switch (result.stage) {
        case Stage::nothing:
            wrong(what, "see 'endpoint', DNS, and whether a firewall lets it through");
            break;
        case Stage::connected:
            wrong(what,
                  "see 'endpoint' and 'ca_file' (apt install ca-certificates); "
                  "something in between may be taking TLS apart");
            if (!result.shown.empty())
                note(who + ": it showed a certificate " +
                     describe_chain(result.shown, read_clock()));
            break;
        case Stage::trusted:
            wrong(what, "see 'endpoint': that is no HTTP/2 server, or it is out of order");
            break;
        case Stage::greeted:
        case Stage::answered:
            wrong(what, "try again; if it stays so, look at Apple's system status page");
            break;
    }
    return false;
}

void Doctor::check_lane(const engine::LaneOptions& lane) {
    const ProbeResult result =
        probe({.endpoint = lane.endpoint, .server_name = lane.server_name, .tls = lane.tls});
    const std::string who = name_of(lane);
    if (result.stage >= Stage::connected) fine(who + ": name and TCP");
    if (result.stage >= Stage::trusted) {
        fine(who + ": TLS and ALPN h2, certificate " + describe_chain(result.shown, read_clock()));
    }
    if (result.stage >= Stage::greeted) fine(who + ": HTTP/2 SETTINGS received");
    static_cast<void>(require(Stage::greeted, who, result));
}

void Doctor::send(const DoctorOptions& options) {
    push::Job job;
    if (const Result<void> decoded = push::apns::decode_token(options.device, job.token);
        !decoded) {
        return wrong("--send: " + describe(decoded.error()),
                     "give the device token that the app got from iOS, in hexadecimal");
    }
    std::array<uint8_t, 16> bytes{};
    if (const Result<void> drawn = crypto::os_random(bytes); !drawn)
        return wrong("--send: " + describe(drawn.error()), "look at the system");
    job.push = Uuid::from_random(bytes);
    job.accepted = read_clock();
    job.expires = job.accepted + minutes(10);
    const auto& lanes = assembly_.options.lanes;
    const auto lane = std::ranges::find_if(lanes, [&](const engine::LaneOptions& each) {
        return options.app.empty() ? lanes.front().name == lanes.back().name
                                   : each.name == options.app;
    });
    if (lane != lanes.end()) return send(*lane, job);
    wrong(options.app.empty() ? "--send: there are several apps" : "--send: no such app",
          "say which, with --app NAME: the NAME of [apps.NAME.apns]");
}

void Doctor::send(const engine::LaneOptions& lane, const push::Job& job) {
    std::string authorization;
    if (lane.credential != engine::kNoCredential) {
        MintTimes times(config_.data_dir + "/provider-tokens");
        times.load();
        const auto token = assembly_.credentials[lane.credential].resume(
            times.find(assembly_.credential_names[lane.credential]), read_clock());
        if (!token) return wrong("--send: " + describe(token.error()), "see 'key_file'");
        authorization = token->authorization;
    }
    push::apns::RequestText text;
    const http2::RequestHead head = push::apns::encode(job, lane.service, authorization, text);
    const ProbeResult result = probe({.endpoint = lane.endpoint,
                                      .server_name = lane.server_name,
                                      .tls = lane.tls,
                                      .head = &head,
                                      .body = as_bytes(kBody)});
    if (!require(Stage::answered, name_of(lane), result)) return;
    if (result.clock_ahead) compare_clocks("app " + lane.name, *result.clock_ahead);
    const std::string what =
        name_of(lane) + ", push " + job.push.text() + ": status " + std::to_string(result.status);
    if (result.status == 200) return fine(what + ", the provider has it");
    push::apns::Decoder decoder;
    http2::Event event;
    event.status = result.status;
    event.body = as_bytes(result.body);
    const push::Answer answer = decoder.decode(event);
    if (answer.outcome == push::Outcome::bad_token && lane.twin != push::kNoTwin &&
        lane.environment == push::Environment::production) {
        note(what + " " + std::string(answer.reason) + ", so it may be one of the sandbox");
        return send(assembly_.options.lanes[lane.twin], job);
    }
    wrong(what + " " + std::string(answer.reason), advice_for(answer.reason));
}

int Doctor::run(const DoctorOptions& options) {
    const bool is_usable = check_config();
    check_data_dir();
    check_key_file();
    check_descriptors();
    check_clock();
    check_certificates();
    for (const engine::LaneOptions& lane : assembly_.options.lanes) check_lane(lane);
    if (!options.device.empty() && is_usable) send(options);
    std::printf(is_fine_ ? "all is fine\n" : "something is wrong, see above\n");
    return is_fine_ ? 0 : 1;
}

}  // namespace

int run_doctor(const config::Config& config,
               const std::string& config_path,
               const DoctorOptions& options) {
    // a peer that is gone is an error of the write, not the end of the process
    ::signal(SIGPIPE, SIG_IGN);
    return Doctor(config, config_path).run(options);
}

}  // namespace knuckle::app
