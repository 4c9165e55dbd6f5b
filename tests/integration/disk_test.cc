// SPDX-License-Identifier: GPL-3.0-or-later
// A disk that is full, and what of the gateway goes on without it.
#include <algorithm>
#include <csignal>
#include <string>
#include <sys/resource.h>

#include <catch_amalgamated.hpp>

#include "tests/integration/conformance.h"

namespace knuckle::test {

namespace {

// No file of that process may grow beyond `size`, so that its writes fail as on a full disk.
void limit_files(pid_t pid, rlim_t size) {
    rlimit limit{};
    REQUIRE(::prlimit(pid, RLIMIT_FSIZE, nullptr, &limit) == 0);
    limit.rlim_cur = std::min(size, limit.rlim_max);
    REQUIRE(::prlimit(pid, RLIMIT_FSIZE, &limit, nullptr) == 0);
}

}  // namespace

TEST_CASE("with a full disk writes are refused, knocks go on, and the operator hears of it",
          "[operation][disk]") {
    // What a program ignores its children ignore too: a write beyond the limit is then an error and
    // no signal, as with a disk.
    const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
    Deployment here;
    std::signal(SIGXFSZ, old_action);
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    const pid_t pid = here.gateway->process().pid();
    const std::string device = "device/apns/" + phone.device + "/";
    const Request rename = patch(device, form({{"name", "Phone"}})).by(anna.auth);
    here.api.expect_unavailability();

    limit_files(pid, 4'096);
    for (const Request& write :
         {rename,
          post("tokens/", form({{"apns_device", phone.device}})).by(anna.auth),
          del("tokens/" + phone.token + "/").by(anna.auth),
          post("accounts/", form({{"username", "bert"}, {"password", "x"}})),
          del("accounts/anna/").by(anna.auth)}) {
        INFO(write.method << " " << write.path);
        const HttpResponse refused = here.api.ask(write);
        CHECK(refused.status == 503);
        CHECK(json_shape(refused.body) == kDetailShape);
    }
    // Reading, logging in and knocking need no disk.
    CHECK(here.api.ask(get(device).by(anna.auth)).status == 200);
    CHECK(here.api.ask(post("accounts/", form({{"username", "anna"}, {"password", anna.password}})))
              .status == 200);
    for (int i = 0; i < 5; ++i) CHECK(here.api.knock(phone.token) == 202);
    CHECK(here.apns.count("/accepted") == 5);
    CHECK(here.gateway->metric("knuckle_store_read_only") == 1);
    const HttpResponse readiness = here.gateway->readiness();
    CHECK(readiness.status == 503);
    CHECK(readiness.body.find("read-only") != std::string::npos);
    CHECK(here.gateway->count_in_log("event=store_read_only") == 1);

    limit_files(pid, RLIM_INFINITY);
    CHECK(eventually([&] { return here.api.ask(rename).status == 200; }));
    CHECK(here.gateway->metric("knuckle_store_read_only") == 0);
    here.gateway->wait_until_ready();
    CHECK(here.gateway->count_in_log("event=store_writable") == 1);
    CHECK(json_string(here.api.ask(get(device).by(anna.auth)).body, "/name") == "Phone");
    CHECK(here.api.ask(get("tokens/" + phone.token + "/").by(anna.auth)).status == 200);
    CHECK(here.api.sign_up("bert").username == "bert");
    CHECK(here.gateway->stop() == 0);
}

}  // namespace knuckle::test
