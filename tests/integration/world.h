// SPDX-License-Identifier: GPL-3.0-or-later
// The world of most integration tests: a folder, the simulated APNs, and the gateway in front of
// it, each a process of its own.
//
//     World world;
//     Gateway& gateway = world.start();             serves and is ready
//     HttpClient client(gateway.port());
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/support/gateway.h"
#include "tests/support/temp_dir.h"

// The Makefile says where the programs are, but not to who only looks at this header.
#ifndef KNUCKLE_BINARY
#define KNUCKLE_BINARY ""
#define SIM_APNS_BINARY ""
#endif

namespace knuckle::test {

// Under a sanitizer or without optimization memory says nothing about the product.
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr bool kIsProduct = true;
#else
constexpr bool kIsProduct = false;
#endif

struct World {
    explicit World(std::vector<std::string> apns_arguments = {})
        : config(dir),
          apns({.program = SIM_APNS_BINARY,
                .directory = dir / "apns",
                .more = std::move(apns_arguments)}) {
        config.point_to(apns);
    }

    // Serving, whether the provider is there or not.
    Gateway& serve() {
        gateway.reset();
        gateway = std::make_unique<Gateway>(KNUCKLE_BINARY, config);
        return *gateway;
    }
    Gateway& start() {
        serve().wait_until_ready();
        return *gateway;
    }

    TempDir dir;
    GatewayConfig config;
    ApnsProcess apns;
    std::unique_ptr<Gateway> gateway;
};

// A second APNs in the folder of the first, with its keys and certificates.
inline ApnsProcess make_apns(const std::string& directory,
                             uint16_t port,
                             std::vector<std::string> arguments = {}) {
    return ApnsProcess({.program = SIM_APNS_BINARY,
                        .directory = directory,
                        .port = port,
                        .more = std::move(arguments)});
}

}  // namespace knuckle::test
