// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>

#include <catch_amalgamated.hpp>

#include "api/multipart_body.h"
#include "tests/support/api_front.h"

using namespace knuckle;
using api::Value;

namespace {

constexpr std::array<std::string_view, 3> kNames = {"token", "data", "priority"};

struct Multipart {
    explicit Multipart(std::string_view body, std::string_view boundary = "b") {
        refused = api::read_multipart(body, boundary, fields);
    }
    std::string text(size_t index) const {
        return fields[index].kind == Value::Kind::text ? std::string(fields[index].text)
                                                       : "(absent)";
    }
    std::string problem() const { return refused ? refused->body : "none"; }
    api::Fields fields{kNames};
    std::optional<api::Reply> refused;
};

std::string malformed(std::string_view what) {
    return R"({"detail":"Multipart form parse error - )" + std::string(what) + "\"}";
}

}  // namespace

TEST_CASE("RubDub's multipart body is read", "[api][multipart_body]") {
    const Multipart body(
        "----------------------------012345678901234567890123\r\n"
        "Content-Disposition: form-data; name=\"token\"\r\n\r\n"
        "dd43cf2510414e44414b0b9d9c11b669cdbe99b2\r\n"
        "----------------------------012345678901234567890123\r\n"
        "Content-Disposition: form-data; name=\"priority\"\r\n\r\n"
        "high\r\n"
        "----------------------------012345678901234567890123--\r\n",
        "--------------------------012345678901234567890123");
    CHECK(body.problem() == "none");
    CHECK(body.text(0) == "dd43cf2510414e44414b0b9d9c11b669cdbe99b2");
    CHECK(body.text(1) == "(absent)");
    CHECK(body.text(2) == "high");
}

TEST_CASE("What RFC 2046 lets stand around and between parts is no trouble",
          "[api][multipart_body]") {
    const Multipart body(
        "a preamble\r\n--b \t\r\n"
        "content-type: text/plain; charset=utf-8\r\n"
        "CONTENT-DISPOSITION:form-data;filename=\"f;name=x\";NAME=token\r\n"
        "Content-Transfer-Encoding: binary\r\nContent-Length: 3\r\n\r\n"
        "a\r\n--c\r\nb--b\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"unknown\"\r\n\r\n\xFF\r\n"
        "--b--an epilogue --b");
    CHECK(body.problem() == "none");
    CHECK(body.text(0) == "a\r\n--c\r\nb--b");
    CHECK(body.text(1).empty());
    CHECK(body.text(2) == "(absent)");
}

TEST_CASE("A body of no parts has no fields", "[api][multipart_body]") {
    CHECK(Multipart("--b--").problem() == "none");
    CHECK(Multipart("--b--\r\n").text(0) == "(absent)");
}

TEST_CASE("The last of equal names counts", "[api][multipart_body]") {
    CHECK(Multipart(test::multipart_of({"token=a", "token=b"})).text(0) == "b");
}

TEST_CASE("A malformed multipart body is told what is wrong", "[api][multipart_body]") {
    struct Case {
        std::string body;
        const char* what;
    };
    const std::string part = "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nx";
    const Case cases[] = {
        {"", "the boundary does not appear"},
        {"token=x", "the boundary does not appear"},
        {"x--b--", "the boundary does not appear"},
        {"--b", "a boundary is not alone on its line"},
        {"--bb\r\n", "a boundary is not alone on its line"},
        {"--b\n", "a boundary is not alone on its line"},
        {"--b\r\n", "a part has no name"},
        {"--b\r\n\r\nx\r\n--b--", "a part has no name"},
        {"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", "a part has no name"},
        {"--b\r\nContent-Disposition: attachment; name=\"token\"\r\n\r\nx\r\n--b--",
         "a part has no name"},
        {"--b\r\nno colon\r\n\r\nx\r\n--b--", "a part has no name"},
        {"--b\r\nContent-Disposition: form-data; name=\"token\"\r\n", "a part has no name"},
        {part, "the closing boundary is missing"},
        {part + "\r\n--", "the closing boundary is missing"},
        {part + "\n--b--", "the closing boundary is missing"},
        {part + "\r\n--b", "a boundary is not alone on its line"},
        {part + "\xC3\r\n--b--", "a field is not UTF-8"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.body);
        CHECK(Multipart(c.body).problem() == malformed(c.what));
    }
    CHECK(Multipart(part, std::string(71, 'b')).problem() ==
          malformed("the boundary is longer than 70 characters"));
}

TEST_CASE("There is a limit to the number of parts", "[api][multipart_body]") {
    std::string body;
    for (size_t i = 0; i < api::kPartsMax; ++i)
        body += "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n";
    CHECK(Multipart(body + "--b--").problem() == "none");
    CHECK(Multipart(body + "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n--b--")
              .problem() == malformed("there are more than 32 parts"));
}
