// SPDX-License-Identifier: GPL-3.0-or-later
// The kept inputs of a fuzz target, tests/fuzz/corpus/<target>, in the order of their names.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace knuckle::test {

inline std::vector<std::string> read_corpus(const std::string& target) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry :
         std::filesystem::directory_iterator(KNUCKLE_SOURCE_DIR "/tests/fuzz/corpus/" + target)) {
        paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> inputs;
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return inputs;
}

}  // namespace knuckle::test
