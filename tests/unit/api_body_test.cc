// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "api/body.h"
#include "tests/support/api_front.h"

using namespace knuckle;
using test::ApiFront;
using test::ApiRequest;

namespace {

const std::string kMessages = "/api/v1/messages/";

ApiRequest knock(std::string_view content_type, std::string_view body) {
    return {"POST", kMessages, content_type, body};
}

}  // namespace

TEST_CASE("A knock means the same in JSON, as a form and as multipart", "[api][body]") {
    ApiFront front;
    const std::string multipart =
        test::multipart_of({"token=abc", "data=h\xC3\xA9llo you", "priority=high"});
    const ApiRequest requests[] = {
        knock("application/json", R"({"token":"abc","data":"h\u00e9llo you","priority":"high"})"),
        knock("Application/JSON ; charset=latin1",
              "{\"token\":\"abc\",\"data\":\"h\xC3\xA9llo you\",\"priority\":\"high\"}"),
        knock("application/x-www-form-urlencoded", "token=abc&data=h%C3%A9llo+you&priority=high"),
        knock("APPLICATION/X-WWW-FORM-URLENCODED; charset=UTF-8",
              "priority=high&token=abc&data=h\xC3\xA9llo%20you"),
        knock("multipart/form-data; boundary=b", multipart),
        knock("Multipart/Form-Data; charset=utf-8; boundary=\"b\"", multipart),
    };
    for (const ApiRequest& request : requests) {
        const auto& command = front.command<api::Knock>(request);
        CHECK(command.token == "abc");
        CHECK(command.extra.kind == api::KnockExtra::Kind::text);
        CHECK(command.extra.text == "h\xC3\xA9llo you");
        CHECK(command.urgency == push::Urgency::high);
        CHECK(command.priority.text == "high");
    }
}

TEST_CASE("Without a body, or a word on what it is, there are no fields", "[api][body]") {
    ApiFront front;
    const ApiRequest requests[] = {
        knock("", ""),
        knock("application/json", ""),
        knock("text/xml", ""),
        knock("", R"({"token":"abc"})"),
        knock("application/json", "{}"),
        knock("application/x-www-form-urlencoded", ""),
        knock("application/x-www-form-urlencoded", "&&"),
        knock("multipart/form-data", test::multipart_of({"token=abc"})),
        knock("multipart/form-data; boundary=\"\"", test::multipart_of({"token=abc"})),
        knock("multipart/form-data; boundary=b", "--b--\r\n"),
    };
    for (const ApiRequest& request : requests) {
        const auto& reply = front.refusal(request);
        CHECK(reply.status == 400);
        CHECK(reply.body == R"({"token":["This field is required."]})");
    }
}

TEST_CASE("Other media types are refused, and named as they were sent", "[api][body]") {
    ApiFront front;
    const auto& xml = front.refusal(knock("text/xml", "<token/>"));
    CHECK(xml.status == 415);
    CHECK(xml.body == R"({"detail":"Unsupported media type \"text/xml\" in request."})");
    CHECK(front.refusal(knock("text/plain; charset=\"x\"", "x")).body ==
          R"({"detail":"Unsupported media type \"text/plain; charset=\"x\"\" in request."})");
    CHECK(front.refusal(knock("application/jsonx", "{}")).status == 415);
    CHECK(front.refusal(knock("\xFF/x", "{}")).body ==
          R"({"detail":"Unsupported media type \"?\" in request."})");
}

TEST_CASE("A body that is cut short is refused wherever it is cut", "[api][body]") {
    ApiFront front;
    const std::string json =
        R"({"token":"710460d56dc99ef4568cc3287119e62eab13e194","data":{"a":[1.5,)"
        R"("\u00e4\ud83d\ude00",null]},"priority":"high"})";
    for (size_t size = 0; size < json.size(); ++size) {
        CAPTURE(size);
        CHECK(front.refusal(knock(test::kJson, std::string_view(json).substr(0, size))).status ==
              400);
    }
    CHECK(front.command<api::Knock>(knock(test::kJson, json)).token ==
          "710460d56dc99ef4568cc3287119e62eab13e194");

    const std::string multipart =
        test::multipart_of({"token=710460d56dc99ef4568cc3287119e62eab13e194", "priority=high"});
    const size_t complete = multipart.size() - 2;  // what follows the last "--" means nothing
    for (size_t size = 0; size < complete; ++size) {
        CAPTURE(size);
        CHECK(front.refusal(knock(test::kMultipart, std::string_view(multipart).substr(0, size)))
                  .status == 400);
    }
    for (size_t size = complete; size <= multipart.size(); ++size) {
        front.command<api::Knock>(
            knock(test::kMultipart, std::string_view(multipart).substr(0, size)));
    }
}

TEST_CASE("A form that is cut short is a shorter form", "[api][body]") {
    ApiFront front;
    const std::string form = "token=7104%360d5&priority=high";
    for (size_t size = std::string_view("token=7").size(); size <= form.size(); ++size) {
        CHECK_FALSE(
            front.command<api::Knock>(knock(test::kForm, std::string_view(form).substr(0, size)))
                .token.empty());
    }
}
