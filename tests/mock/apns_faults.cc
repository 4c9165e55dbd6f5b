// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/apns_faults.h"

namespace knuckle::mock {

bool Fault::is_unprocessed() const {
    return kind == FaultKind::goaway || (kind == FaultKind::reset && code == kRefusedStream);
}

bool Fault::is_fate_unknown() const { return kind != FaultKind::answer && !is_unprocessed(); }

bool ApnsFaults::add(const FaultRule& rule) {
    if (rules_.size() >= kRulesMax) return false;
    rules_.push_back({rule});
    return true;
}

const Fault* ApnsFaults::choose(std::string_view device, Instant now) {
    for (Entry& entry : rules_) {
        const FaultRule& rule = entry.rule;
        if (!device.starts_with(rule.device) || now >= rule.until) continue;
        if (entry.struck >= rule.requests) continue;
        const uint64_t number = entry.seen++;
        if (number < rule.skip || (number - rule.skip + 1) % rule.every != 0) continue;
        ++entry.struck;
        ++struck_;
        return &entry.rule.fault;
    }
    return nullptr;
}

}  // namespace knuckle::mock
