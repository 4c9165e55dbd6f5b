// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/json_fields.h"

#include <stdexcept>

#include <simdjson.h>

namespace knuckle::test {

namespace {

namespace dom = simdjson::dom;

template <typename T>
T value_at(std::string_view text, std::string_view pointer) {
    dom::parser parser;
    dom::element document;
    T value{};
    if (parser.parse(text.data(), text.size()).get(document) == simdjson::SUCCESS &&
        document.at_pointer(pointer).get(value) == simdjson::SUCCESS) {
        return value;
    }
    throw std::runtime_error("no " + std::string(pointer) +
                             " of that type in: " + std::string(text));
}

}  // namespace

std::string json_string(std::string_view text, std::string_view pointer) {
    dom::parser parser;
    std::string_view value;
    if (parser.parse(text.data(), text.size()).at_pointer(pointer).get(value) !=
        simdjson::SUCCESS) {
        throw std::runtime_error("no string " + std::string(pointer) + " in: " + std::string(text));
    }
    return std::string(value);
}

int64_t json_number(std::string_view text, std::string_view pointer) {
    return value_at<int64_t>(text, pointer);
}

bool is_json_null(std::string_view text, std::string_view pointer) {
    dom::parser parser;
    dom::element value;
    return parser.parse(text.data(), text.size()).at_pointer(pointer).get(value) ==
               simdjson::SUCCESS &&
           value.is_null();
}

std::vector<std::string> json_elements(std::string_view text, std::string_view pointer) {
    dom::parser parser;
    dom::array array;
    if (parser.parse(text.data(), text.size()).at_pointer(pointer).get(array) !=
        simdjson::SUCCESS) {
        throw std::runtime_error("no array " + std::string(pointer) + " in: " + std::string(text));
    }
    std::vector<std::string> elements;
    for (const dom::element element : array) elements.push_back(simdjson::minify(element));
    return elements;
}

}  // namespace knuckle::test
