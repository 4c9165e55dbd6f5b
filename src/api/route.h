// SPDX-License-Identifier: GPL-3.0-or-later
// Which app and which endpoint a path means.
//
//     [ "/" NAME ] "/api/v1" [ "/" [ endpoint [ "/" item ] [ "/" ] ] ]
//
// The final slash is optional everywhere: clients lose the body or the method on a redirect, so
// there is none. The app is that of the Host field, else that of NAME, else the first; a NAME of
// another app than the Host's is no path of ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "api/rest.h"
#include "store/records.h"

namespace knuckle::api {

enum class Endpoint : uint8_t {
    root,
    accounts,
    account,
    devices,
    device,
    tokens,
    token,
    messages,
    pubsub
};

struct Route {
    Endpoint endpoint = Endpoint::root;
    store::DeviceKind kind = store::DeviceKind::apns;  // devices, device
    std::string_view item;  // account, device, token: which one; percent-encoded, never empty
    size_t app = 0;
};

// Nothing: the path is not of the API. `host`: the Host field.
[[nodiscard]] std::optional<Route> find_route(std::string_view path,
                                              std::string_view host,
                                              const Routes& routes);

// The methods of an endpoint, as the Allow field lists them.
[[nodiscard]] std::string_view allow_of(Endpoint endpoint);

}  // namespace knuckle::api
