// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/client_address.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace knuckle::engine {

namespace {

bool is_trusted(const io::PeerAddress& peer, const ClientAddressOptions& options) {
    const auto& proxies = options.trusted_proxies;
    return io::is_local(peer) || std::find(proxies.begin(), proxies.end(), peer) != proxies.end();
}

}  // namespace

io::PeerAddress client_of(const io::PeerAddress& peer,
                          const http1::Request& request,
                          const ClientAddressOptions& options) {
    if (options.field.empty() || !is_trusted(peer, options)) return peer;
    const auto field =
        std::find_if(request.fields.rbegin(), request.fields.rend(), [&](const http1::Field& each) {
            return equal_ignoring_case(each.name, options.field);
        });
    if (field == request.fields.rend()) return peer;
    // Without a comma the last element is all there is: npos + 1 is 0.
    const std::string_view last = field->value.substr(field->value.rfind(',') + 1);
    return io::parse_peer_address(trim(last)).value_or(peer);
}

}  // namespace knuckle::engine
