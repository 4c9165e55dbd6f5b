// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>

#include <catch_amalgamated.hpp>

#include "api/form_body.h"

using namespace knuckle;
using api::Value;

namespace {

constexpr std::array<std::string_view, 3> kNames = {"token", "data", "priority"};

struct Form {
    explicit Form(std::string_view body) {
        scratch.reset(body.size());
        refused = api::read_form(body, fields, scratch);
    }
    std::string text(size_t index) const {
        return fields[index].kind == Value::Kind::text ? std::string(fields[index].text)
                                                       : "(absent)";
    }
    api::Scratch scratch;
    api::Fields fields{kNames};
    std::optional<api::Reply> refused;
};

}  // namespace

TEST_CASE("A form's fields are decoded", "[api][form_body]") {
    const Form form("token=abc&data=a+b%26c%3D%C3%A4&priority=high");
    CHECK_FALSE(form.refused);
    CHECK(form.fields.is_form);
    CHECK(form.text(0) == "abc");
    CHECK(form.text(1) == "a b&c=\xC3\xA4");
    CHECK(form.text(2) == "high");
}

TEST_CASE("A form's names are decoded too, and the last of equal ones counts", "[api][form_body]") {
    const Form form("token=first&%74oken=second&&=x&token2=y&unknown=%FF");
    CHECK_FALSE(form.refused);
    CHECK(form.text(0) == "second");
    CHECK(form.text(1) == "(absent)");
}

TEST_CASE("A name without a value has an empty one", "[api][form_body]") {
    CHECK(Form("token").text(0).empty());
    CHECK(Form("token=").text(0).empty());
    CHECK(Form("token=a=b").text(0) == "a=b");
    CHECK(Form("").text(0) == "(absent)");
}

TEST_CASE("A value that is not UTF-8 is refused", "[api][form_body]") {
    for (const char* body : {"token=%FF", "token=\xC3", "token=%C3%28", "token=%ED%A0%80"}) {
        CAPTURE(body);
        const Form form(body);
        REQUIRE(form.refused);
        CHECK(form.refused->status == 400);
        CHECK(form.refused->body == R"({"detail":"Form parse error - a field is not UTF-8"})");
    }
}
