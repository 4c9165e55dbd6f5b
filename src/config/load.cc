// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "config/config.h"
#include "config/document.h"
#include "config/reading.h"
#include "config/schema.h"

namespace knuckle::config {

namespace {

constexpr size_t kFileSizeMax = 1024 * 1024;

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

// The whole file, or a mistake that says why not.
std::vector<Mistake> read_file(const std::string& path, std::string& text) {
    const auto cannot_read = [] {
        return std::vector<Mistake>{
            {0, 0, "", "cannot be read: " + std::system_category().message(errno)}};
    };
    const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rbe"));
    if (!file) return cannot_read();
    // By the piece: room for the largest file would stay in the process's memory.
    std::array<char, 16 * 1024> piece;
    while (std::feof(file.get()) == 0 && text.size() <= kFileSizeMax) {
        text.append(piece.data(), std::fread(piece.data(), 1, piece.size(), file.get()));
        if (std::ferror(file.get()) != 0) return cannot_read();
    }
    if (text.size() > kFileSizeMax)
        return {{0, 0, "", "is larger than 1 MiB, so it is no configuration"}};
    return {};
}

}  // namespace

std::vector<Mistake> parse(std::string_view text, Config& config) {
    Value document;
    if (auto mistake = parse_document(text, document)) return {std::move(*mistake)};
    Reading reading("");
    return read_config(document, reading, config);
}

std::vector<Mistake> load(const std::string& path, Config& config) {
    std::string text;
    if (auto mistakes = read_file(path, text); !mistakes.empty()) return mistakes;
    Value document;
    if (auto mistake = parse_document(text, document)) return {std::move(*mistake)};
    const size_t slash = path.rfind('/');
    Reading reading(slash == std::string::npos ? "" : slash == 0 ? "/." : path.substr(0, slash));
    return read_config(document, reading, config);
}

std::string describe(const std::string& path, const Mistake& mistake) {
    std::string text = path;
    for (const uint32_t number : {mistake.line, mistake.column}) {
        if (number != 0) text += ":" + std::to_string(number);
    }
    if (!mistake.key.empty()) text += ": " + mistake.key;
    return text + ": " + mistake.text;
}

}  // namespace knuckle::config
