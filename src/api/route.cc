// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/route.h"

#include <algorithm>

#include "base/text.h"

namespace knuckle::api {

namespace {

constexpr std::string_view kBase = "/api/v1";

struct Collection {
    std::string_view name;
    Endpoint endpoint;
    Endpoint of_item;  // the same as `endpoint`: it has no items
    store::DeviceKind kind = store::DeviceKind::apns;
};

// "message" is what the wiki of the reference tells clients to call.
constexpr Collection kCollections[] = {
    {"messages", Endpoint::messages, Endpoint::messages},
    {"tokens", Endpoint::tokens, Endpoint::token},
    {"device/apns", Endpoint::devices, Endpoint::device, store::DeviceKind::apns},
    {"device/gcm", Endpoint::devices, Endpoint::device, store::DeviceKind::gcm},
    {"accounts", Endpoint::accounts, Endpoint::account},
    {"pubsub", Endpoint::pubsub, Endpoint::pubsub},
    {"message", Endpoint::messages, Endpoint::messages},
};

// What follows "/api/v1/", without its final slash. Nothing: `path` does not begin so.
std::optional<std::string_view> below_base(std::string_view path) {
    if (!path.starts_with(kBase)) return std::nullopt;
    path.remove_prefix(kBase.size());
    if (path.empty()) return path;
    if (path.front() != '/') return std::nullopt;
    path.remove_prefix(1);
    if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    return path;
}

std::optional<Route> find_endpoint(std::string_view path, size_t app) {
    if (path.empty()) return Route{Endpoint::root, store::DeviceKind::apns, {}, app};
    for (const Collection& collection : kCollections) {
        if (!path.starts_with(collection.name)) continue;
        const std::string_view rest = path.substr(collection.name.size());
        if (rest.empty()) return Route{collection.endpoint, collection.kind, {}, app};
        if (rest.front() != '/' || collection.of_item == collection.endpoint) continue;
        const std::string_view item = rest.substr(1);
        if (item.empty() || item.find('/') != std::string_view::npos) continue;
        return Route{collection.of_item, collection.kind, item, app};
    }
    return std::nullopt;
}

std::optional<size_t> find_app_of_host(std::string_view host, const Routes& routes) {
    // The colon before a port is the one behind which no bracket closes: [2001:db8::1]:443.
    const size_t colon = host.rfind(':');
    if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos)
        host = host.substr(0, colon);
    for (size_t i = 0; i < routes.apps.size(); ++i) {
        const auto& hosts = routes.apps[i].hosts;
        const auto is_it = [host](const std::string& name) {
            return equal_ignoring_case(name, host);
        };
        if (std::any_of(hosts.begin(), hosts.end(), is_it)) return i;
    }
    return std::nullopt;
}

std::optional<size_t> find_app_named(std::string_view name, const Routes& routes) {
    for (size_t i = 0; i < routes.apps.size(); ++i) {
        if (routes.apps[i].name == name) return i;
    }
    return std::nullopt;
}

}  // namespace

std::optional<Route> find_route(std::string_view path,
                                std::string_view host,
                                const Routes& routes) {
    const std::optional<size_t> app_of_host = find_app_of_host(host, routes);
    if (const auto rest = below_base(path)) return find_endpoint(*rest, app_of_host.value_or(0));

    const size_t name_end = path.find('/', 1);
    if (!path.starts_with('/') || name_end == std::string_view::npos) return std::nullopt;
    const auto rest = below_base(path.substr(name_end));
    const std::optional<size_t> app = find_app_named(path.substr(1, name_end - 1), routes);
    if (!rest || !app || (app_of_host && app_of_host != app)) return std::nullopt;
    return find_endpoint(*rest, *app);
}

std::string_view allow_of(Endpoint endpoint) {
    switch (endpoint) {
        case Endpoint::root:
        case Endpoint::accounts:
        case Endpoint::devices:
        case Endpoint::tokens:
            return "GET, POST, HEAD, OPTIONS";
        case Endpoint::account:
            return "GET, DELETE, HEAD, OPTIONS";
        case Endpoint::device:
        case Endpoint::token:
            return "GET, PUT, PATCH, DELETE, HEAD, OPTIONS";
        case Endpoint::messages:
            return "POST, OPTIONS";
        case Endpoint::pubsub:
            return "GET, HEAD, OPTIONS";
    }
    return {};
}

}  // namespace knuckle::api
