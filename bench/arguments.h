// SPDX-License-Identifier: GPL-3.0-or-later
// `--name value` and `--name` on a benchmark program's command line; an unknown name is not found
// out, since a driver writes them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace knuckle::bench {

class Arguments {
public:
    Arguments(int argc, char** argv) : words_(argv + 1, argv + argc) {}

    [[nodiscard]] bool has(std::string_view name) const { return find(name) != words_.size(); }
    [[nodiscard]] std::string text(std::string_view name, std::string_view otherwise = "") const {
        const size_t at = find(name) + 1;
        return at < words_.size() ? words_[at] : std::string(otherwise);
    }
    [[nodiscard]] uint64_t count(std::string_view name, uint64_t otherwise) const {
        const std::string value = text(name);
        return value.empty() ? otherwise : std::strtoull(value.c_str(), nullptr, 10);
    }
    [[nodiscard]] double real(std::string_view name, double otherwise) const {
        const std::string value = text(name);
        return value.empty() ? otherwise : std::strtod(value.c_str(), nullptr);
    }

private:
    [[nodiscard]] size_t find(std::string_view name) const {
        size_t at = 0;
        while (at < words_.size() && words_[at] != name) ++at;
        return at;
    }

    std::vector<std::string> words_;
};

}  // namespace knuckle::bench
