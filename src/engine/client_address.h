// SPDX-License-Identifier: GPL-3.0-or-later
// Whose request it is, when a proxy stands between: what a trusted proxy wrote into a field, else
// the peer's own address. Pure; allocates nothing.
//
// Of a list the last element counts, and of several fields the last one: that is what the proxy
// itself has added, whatever the client sent before it. Nobody else's field is looked at.
#pragma once

#include "engine/options.h"
#include "http1/message.h"
#include "io/peer_address.h"

namespace knuckle::engine {

[[nodiscard]] io::PeerAddress client_of(const io::PeerAddress& peer,
                                        const http1::Request& request,
                                        const ClientAddressOptions& options);

}  // namespace knuckle::engine
