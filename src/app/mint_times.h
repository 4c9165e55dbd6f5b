// SPDX-License-Identifier: GPL-3.0-or-later
// When each provider token was minted, kept in a file across restarts, so that a gateway that is
// started again and again shows Apple the same token each time (ADR 0019).
//
//     MintTimes times(data_dir + "/provider-tokens");
//     times.load();
//     credential.resume(times.find(name), now) ... times.note(name, token.issued)
//     Result<void> kept = times.save();
//
// Only the times are kept: the signature is deterministic, so key and time give the token again,
// and there is nothing secret in the file. A line is "NAME SECONDS"; one that makes no sense is
// dropped, as is a file that cannot be read: the next token is then a new one.
// Owner: app::Supervisor.  Thread: the main one.  Limits: kMintTimesMax names.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace knuckle::app {

inline constexpr size_t kMintTimesMax = 1'024;

class MintTimes {
public:
    explicit MintTimes(std::string path) : path_(std::move(path)) {}

    void load();
    [[nodiscard]] std::optional<UnixTime> find(std::string_view name) const;
    // Names have no blank in them. Beyond the limit the oldest is forgotten.
    void note(std::string_view name, UnixTime issued);
    // On disk when it returns, whole or not at all. Errc::system, detail: errno.
    [[nodiscard]] Result<void> save() const;

private:
    struct Entry {
        std::string name;
        UnixTime issued;
    };

    std::string path_;
    std::vector<Entry> entries_;
};

}  // namespace knuckle::app
