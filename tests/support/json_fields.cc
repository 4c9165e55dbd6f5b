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

std::string shape_of(const dom::element& element) {
    std::string shape;
    switch (element.type()) {
        case dom::element_type::OBJECT:
            for (const auto& [name, value] : dom::object(element)) {
                if (!shape.empty()) shape += ',';
                shape += std::string(name) + ":" + shape_of(value);
            }
            return "{" + shape + "}";
        case dom::element_type::ARRAY:
            for (const dom::element each : dom::array(element)) {
                if (!shape.empty() && shape != shape_of(each)) return "[different]";
                shape = shape_of(each);
            }
            return "[" + shape + "]";
        case dom::element_type::STRING:
            return "string";
        case dom::element_type::BOOL:
            return "boolean";
        case dom::element_type::NULL_VALUE:
            return "null";
        default:
            return "number";
    }
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

std::string json_shape(std::string_view text) {
    dom::parser parser;
    dom::element document;
    if (parser.parse(text.data(), text.size()).get(document) != simdjson::SUCCESS)
        throw std::runtime_error("no JSON: " + std::string(text));
    return shape_of(document);
}

}  // namespace knuckle::test
