// SPDX-License-Identifier: GPL-3.0-or-later
// What the conformance run stands on: a deployment as an operator makes it, and a client that lets
// no answer pass which breaks a rule for all answers.
//
// The tests conformance_*_test.cc go through the checklist of chatsecure-push.md section 9, one
// test for each item, whose number stands first in its name; tests of sections 2 and 8 name the
// section. They are written from that text, not from our code. `make integration T="[conformance]"`
// runs them all.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "tests/integration/world.h"
#include "tests/support/api_client.h"
#include "tests/support/json_fields.h"

namespace knuckle::test {

// Shapes of what the API answers.
inline constexpr std::string_view kAccountShape =
    "{username:string,email:string,id:string,token:string}";
inline constexpr std::string_view kBareDeviceShape =
    "{name:null,id:string,active:boolean,registration_id:string,device_id:null,date_created:"
    "string}";
inline constexpr std::string_view kFullDeviceShape =
    "{name:string,id:string,active:boolean,registration_id:string,device_id:string,"
    "date_created:string}";
inline constexpr std::string_view kNamelessTokenShape =
    "{token:string,apns_device:string,date_expires:string}";
inline constexpr std::string_view kDetailShape = "{detail:string}";
inline constexpr std::string_view kNotFound = R"({"detail":"Not found."})";

inline std::string list_of(std::string_view shape) {
    return "{count:number,next:null,previous:null,results:[" + std::string(shape) + "]}";
}

struct Deployment : World {
    Deployment() : Deployment([](GatewayConfig&) {}) {}
    template <typename Configure>
    explicit Deployment(Configure configure) : api(start_with(configure)) {}

    template <typename Configure>
    uint16_t start_with(Configure configure) {
        configure(config);
        return start().port();
    }

    ApiClient api;
};

inline int64_t now_in_ms() { return int64_t{std::time(nullptr)} * 1'000; }

}  // namespace knuckle::test
