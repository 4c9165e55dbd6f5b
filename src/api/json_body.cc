// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/json_body.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

#include <simdjson.h>

#include "api/refusals.h"
#include "api/rest.h"
#include "base/assert.h"
#include "base/json.h"
#include "http1/message.h"

namespace knuckle::api {

namespace {

namespace dom = simdjson::dom;

static_assert(simdjson::SIMDJSON_PADDING <= http1::Request::kBodyPadding);

// The longest double needs 24 characters, an integer 20.
constexpr size_t kNumberTextMax = 32;
static_assert(kNumberTextMax <= kExtraBytesMax && kFieldsMax * kExtraBytesMax <= kScratchOfFields);

std::string_view explain(simdjson::error_code error) {
    switch (error) {
        case simdjson::EMPTY:
            return "there is nothing but white space";
        case simdjson::UTF8_ERROR:
            return "the text is not UTF-8";
        case simdjson::DEPTH_ERROR:
            return "lists and objects are nested more than 32 deep";
        case simdjson::UNCLOSED_STRING:
        case simdjson::UNESCAPED_CHARS:
        case simdjson::STRING_ERROR:
            return "a string does not end, or has a bad escape or a control character in it";
        case simdjson::NUMBER_ERROR:
            return "a number is malformed or too large";
        default:
            return "the text is no well-formed JSON";
    }
}
static_assert(kNestingMax == 32, "explain() says so");

// What Python calls the type of a value, for "Expected a dictionary, but got list."
std::string_view python_type(dom::element_type type) {
    switch (type) {
        case dom::element_type::ARRAY:
            return "list";
        case dom::element_type::INT64:
        case dom::element_type::UINT64:
            return "int";
        case dom::element_type::DOUBLE:
            return "float";
        case dom::element_type::STRING:
            return "str";
        case dom::element_type::BOOL:
            return "bool";
        default:
            return "dict";
    }
}

// The value of an element whose type is known.
template <typename T>
T get(const dom::element& element) {
    T value{};
    const bool is_of_type = element.get(value) == simdjson::SUCCESS;
    KNUCKLE_ASSERT(is_of_type);
    return value;
}

// The shortest digits that read back as `value`, laid out as Python's str() does: "1.5",
// "100000.0", "1e+16".
std::string_view format_double(double value, std::span<char, kNumberTextMax> storage) {
    const double size = std::abs(value);
    const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e16);
    char* const begin = storage.data();
    char* end = std::to_chars(begin,
                              begin + storage.size(),
                              value,
                              is_plain ? std::chars_format::fixed : std::chars_format::scientific)
                    .ptr;
    if (is_plain && std::string_view(begin, end).find('.') == std::string_view::npos) {
        *end++ = '.';
        *end++ = '0';
    }
    return {begin, end};
}

std::string_view format_number(const dom::element& number,
                               std::span<char, kNumberTextMax> storage) {
    char* const begin = storage.data();
    char* const end = begin + storage.size();
    switch (number.type()) {
        case dom::element_type::INT64:
            return {begin, std::to_chars(begin, end, get<int64_t>(number)).ptr};
        case dom::element_type::UINT64:
            return {begin, std::to_chars(begin, end, get<uint64_t>(number)).ptr};
        default:
            return format_double(get<double>(number), storage);
    }
}

// Writes a value that simdjson has read, so nesting is bounded by kNestingMax.
void write_compact(JsonWriter& json, const dom::element& value) {
    std::array<char, kNumberTextMax> storage;
    switch (value.type()) {
        case dom::element_type::OBJECT:
            json.begin_object();
            for (const dom::key_value_pair member : get<dom::object>(value)) {
                json.key(member.key);
                write_compact(json, member.value);
            }
            json.end_object();
            return;
        case dom::element_type::ARRAY:
            json.begin_array();
            for (const dom::element element : get<dom::array>(value)) write_compact(json, element);
            json.end_array();
            return;
        case dom::element_type::STRING:
            json.string(get<std::string_view>(value));
            return;
        case dom::element_type::BOOL:
            json.boolean(get<bool>(value));
            return;
        case dom::element_type::NULL_VALUE:
            json.null();
            return;
        default:
            json.raw(format_number(value, storage));
            return;
    }
}

Value to_value(const dom::element& element, Scratch& scratch) {
    switch (element.type()) {
        case dom::element_type::NULL_VALUE:
            return {Value::Kind::null, {}};
        case dom::element_type::STRING:
            return {Value::Kind::text, get<std::string_view>(element)};
        case dom::element_type::BOOL:
            return {Value::Kind::boolean, get<bool>(element) ? "true" : "false"};
        case dom::element_type::ARRAY:
            return {Value::Kind::array, {}};
        case dom::element_type::OBJECT: {
            JsonWriter json({scratch.room(kExtraBytesMax), kExtraBytesMax});
            write_compact(json, element);
            return {Value::Kind::object,
                    json.fits() ? scratch.keep(json.text().size()) : std::string_view()};
        }
        default: {
            char* const room = scratch.room(kNumberTextMax);
            const std::string_view text =
                format_number(element, std::span<char, kNumberTextMax>(room, kNumberTextMax));
            return {Value::Kind::number, scratch.keep(text.size())};
        }
    }
}

}  // namespace

struct JsonReader::State {
    dom::parser parser;
};

JsonReader::JsonReader() : state_(std::make_unique<State>()) {
    const bool has_memory =
        state_->parser.allocate(kJsonCapacity, kNestingMax + 1) == simdjson::SUCCESS &&
        state_->parser.doc.allocate(kJsonCapacity) == simdjson::SUCCESS;
    KNUCKLE_ASSERT(has_memory);
}

JsonReader::~JsonReader() = default;

std::optional<Reply> JsonReader::read(ByteView body, Fields& fields, Scratch& scratch) {
    dom::element root;
    const simdjson::error_code error =
        state_->parser.parse(body.data(), body.size(), false).get(root);
    if (error != simdjson::SUCCESS) return parse_error("JSON", explain(error));
    if (root.is_null()) return body_is_null();
    dom::object object;
    if (root.get(object) != simdjson::SUCCESS) return body_is_no_object(python_type(root.type()));

    std::array<std::optional<dom::element>, kFieldsMax> sent;
    for (const dom::key_value_pair member : object) {
        if (const auto index = fields.index_of(member.key)) sent[*index] = member.value;
    }
    for (size_t i = 0; i < fields.size(); ++i) {
        if (const auto& element = sent[i]) fields[i] = to_value(*element, scratch);
    }
    return std::nullopt;
}

}  // namespace knuckle::api
