// SPDX-License-Identifier: GPL-3.0-or-later
// From the configuration to what workers are built with: reads keys, certificates and authorities,
// fills the Options.
//
//     Assembly assembly;
//     std::vector<config::Mistake> mistakes = assemble(config, assembly);     empty: usable
//
// `knuckle check` and `knuckle serve` both come through here, so that what is checked is what is
// served.
// Owner: the supervisor; outlives the workers.  Thread: the main one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/webhook.h"
#include "config/config.h"
#include "engine/options.h"
#include "push/credential.h"
#include "tls/context.h"

namespace knuckle::app {

// When a certificate of ours ends, so that the operator hears of it in time.
struct OwnCertificate {
    std::string name;  // "listen 127.0.0.1:8443", "app chat"
    UnixTime not_after;
    std::string issuer = {};  // may be empty
};

struct Assembly {
    engine::Options options;
    std::vector<push::Credential> credentials;            // each used by one lane or several
    std::vector<std::string> credential_names;            // "production/TEAM/KEY", of the same
    std::vector<std::unique_ptr<tls::Context>> contexts;  // what options point into
    std::optional<WebhookOptions> webhook;
    std::vector<OwnCertificate> certificates;
};

[[nodiscard]] std::vector<config::Mistake> assemble(const config::Config& config,
                                                    Assembly& assembly);
[[nodiscard]] io::Endpoint to_endpoint(const config::Address& address);

}  // namespace knuckle::app
