// SPDX-License-Identifier: GPL-3.0-or-later
// All keys that there are, with their types, ranges and relations: schema.cc is the one list of
// them.
//
//     Reading reading(folder);
//     std::vector<Mistake> mistakes = read_config(document, reading, config);
//
// `config` starts from its defaults. Keys have the order of conf/knuckle.toml.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/document.h"
#include "config/reading.h"

namespace knuckle::config {

[[nodiscard]] std::vector<Mistake> read_config(const Value& document,
                                               Reading& reading,
                                               Config& config);

}  // namespace knuckle::config
