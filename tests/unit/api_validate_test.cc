// SPDX-License-Identifier: GPL-3.0-or-later
// What each field may be: the tables of chatsecure-push.md 2.1 to 2.6.
#include <catch_amalgamated.hpp>

#include "api/validate.h"
#include "tests/support/api_front.h"

using namespace knuckle;
using push::Urgency;
using test::ApiFront;
using test::ApiRequest;
using test::json_post;
using test::kForm;
using test::kJson;
using test::kMultipart;
using test::multipart_of;
using ExtraKind = api::KnockExtra::Kind;

namespace {

const std::string kAccounts = "/api/v1/accounts/";
const std::string kApns = "/api/v1/device/apns/";
const std::string kGcm = "/api/v1/device/gcm/";
const std::string kTokens = "/api/v1/tokens/";
const std::string kMessages = "/api/v1/messages/";
const std::string kId = "638426e6-832f-4a45-ae9a-db409ba2fb4d";

std::string repeat(std::string_view text, size_t count) {
    std::string repeated;
    for (size_t i = 0; i < count; ++i) repeated += text;
    return repeated;
}

// Bodies that are refused with 400 and exactly that answer.
struct Mistake {
    std::string body;
    std::string answer;
};

void check_mistakes(std::string_view method,
                    std::string_view path,
                    std::initializer_list<Mistake> mistakes) {
    ApiFront front;
    for (const Mistake& mistake : mistakes) {
        CAPTURE(path, mistake.body);
        const auto& reply = front.refusal({method, path, kJson, mistake.body});
        CHECK(reply.status == 400);
        CHECK(reply.content_type == "application/json");
        CHECK(reply.body == mistake.answer);
    }
}

}  // namespace

TEST_CASE("Logging in takes a username and a password, both trimmed", "[api][validate][accounts]") {
    ApiFront front;
    const auto& log_in = front.command<api::LogIn>(
        json_post(kAccounts, R"({"username":" Alice\t","password":"\u00a0 pw "})"));
    CHECK(log_in.username == "Alice");
    CHECK(log_in.password == "pw");
    CHECK(log_in.email.empty());
}

TEST_CASE("The longest username, password and e-mail fit", "[api][validate][accounts]") {
    ApiFront front;
    const std::string username = repeat("\xF0\x9F\x98\x80", 30);
    const std::string password = repeat("aB+/", 25);
    const std::string email = std::string(88, 'a') + "@example.org";
    const auto& log_in =
        front.command<api::LogIn>(json_post(kAccounts,
                                            R"({"username":")" + username + R"(","password":")" +
                                                password + R"(","email":")" + email + "\"}"));
    CHECK(log_in.username == username);
    CHECK(log_in.password == password);
    CHECK(log_in.email == email);
}

TEST_CASE("Numbers are taken as texts", "[api][validate][accounts]") {
    ApiFront front;
    const auto& log_in =
        front.command<api::LogIn>(json_post(kAccounts, R"({"username":12345,"password":-1.50})"));
    CHECK(log_in.username == "12345");
    CHECK(log_in.password == "-1.5");
}

TEST_CASE("Fields that nobody may set are ignored", "[api][validate][accounts]") {
    ApiFront front;
    const auto& log_in = front.command<api::LogIn>(json_post(
        kAccounts, R"({"username":"a","password":"b","is_staff":true,"id":7,"token":["x"]})"));
    CHECK(log_in.username == "a");
}

TEST_CASE("An e-mail address is optional; its domain is lowered", "[api][validate][accounts]") {
    ApiFront front;
    const auto email_of = [&front](const ApiRequest& request) {
        return std::string(front.command<api::LogIn>(request).email);
    };
    CHECK(email_of(json_post(kAccounts,
                             R"({"username":"a","password":"b","email":"Me@Example.ORG"})")) ==
          "Me@example.org");
    CHECK(
        email_of(json_post(kAccounts, R"({"username":"a","password":"b","email":null})")).empty());
    CHECK(email_of({"POST", kAccounts, kForm, "username=a&password=b&email="}).empty());
    CHECK(email_of({"POST", kAccounts, kForm, "username=a&password=b&email=a%40b.org"}) ==
          "a@b.org");
    CHECK(email_of(
              {"POST", kAccounts, kMultipart, multipart_of({"username=a", "password=b", "email="})})
              .empty());
}

TEST_CASE("What is wrong with a login is told for each field", "[api][validate][accounts]") {
    const std::string name31 = repeat("\xC3\xA4", 31);
    check_mistakes(
        "POST",
        kAccounts,
        {
            {"{}",
             R"({"username":["This field is required."],"password":["This field is required."]})"},
            {R"({"username":"","password":" \t"})",
             R"({"username":["This field may not be blank."],"password":["This field may not )"
             R"(be blank."]})"},
            {R"({"username":null,"password":null})",
             R"({"username":["This field may not be null."],"password":["This field may not )"
             R"(be null."]})"},
            {R"({"username":true,"password":["x"],"email":{}})",
             R"({"username":["Not a valid string."],"password":["Not a valid string."],)"
             R"("email":["Not a valid string."]})"},
            {R"({"username":")" + name31 + R"(","password":")" + std::string(101, 'x') + "\"}",
             R"({"username":["Ensure this field has no more than 30 characters."],)"
             R"("password":["Ensure this field has no more than 100 characters."]})"},
            {R"({"username":"a\u0000b","password":"x"})",
             R"({"username":["Null characters are not allowed."]})"},
            {R"({"username":")" + std::string(31, 'x') + R"(\u0000","password":"x"})",
             R"({"username":["Ensure this field has no more than 30 characters.","Null )"
             R"(characters are not allowed."]})"},
            {R"({"username":"a","password":"b","email":""})",
             R"({"email":["This field may not be blank."]})"},
            {R"({"username":"a","password":"b","email":"nonsense"})",
             R"({"email":["Enter a valid email address."]})"},
            {R"({"username":"a","password":"b","email":")" + std::string(101, 'x') + "\"}",
             R"({"email":["Ensure this field has no more than 100 characters.","Enter a valid )"
             R"(email address."]})"},
            {"[]",
             R"({"non_field_errors":["Invalid data. Expected a dictionary, but got list."]})"},
            {"null", R"({"non_field_errors":["No data provided"]})"},
        });
}

TEST_CASE("A device needs only its registration", "[api][validate][device]") {
    ApiFront front;
    const auto& device =
        front.command<api::CreateDevice>(json_post(kApns, R"({"registration_id":"1234asdf"})"));
    CHECK(device.kind == store::DeviceKind::apns);
    CHECK(device.fields.registration_id.text == "1234asdf");
    CHECK_FALSE(device.fields.name.is_present);
    CHECK_FALSE(device.fields.device_id.is_present);
    CHECK_FALSE(device.fields.is_active.has_value());
}

TEST_CASE("A device that is not called inactive is active, whatever the body's type",
          "[api][validate][device]") {
    ApiFront front;
    const ApiRequest requests[] = {
        json_post(kGcm, R"({"registration_id":"x"})"),
        {"POST", kGcm, kForm, "registration_id=x"},
        {"POST", kGcm, kForm, "registration_id=x&active="},
        {"POST", kGcm, kMultipart, multipart_of({"registration_id=x"})},
    };
    for (const ApiRequest& request : requests) {
        CHECK_FALSE(front.command<api::CreateDevice>(request).fields.is_active.has_value());
    }
}

TEST_CASE("Active is a boolean, in the words of the reference", "[api][validate][device]") {
    ApiFront front;
    const auto active = [&front](std::string_view value) {
        return front
            .command<api::CreateDevice>(
                json_post(kApns, R"({"registration_id":"x","active":)" + std::string(value) + "}"))
            .fields.is_active;
    };
    for (const char* word :
         {"true", "1", "1.0", "\"true\"", "\"True\"", "\"1\"", "\"on\"", "\"yes\"", "\"t\""}) {
        CAPTURE(word);
        CHECK(active(word) == true);
    }
    for (const char* word : {"false",
                             "0",
                             "0.0",
                             "-0",
                             "\"false\"",
                             "\"FALSE\"",
                             "\"0\"",
                             "\"off\"",
                             "\"no\"",
                             "\"n\""}) {
        CAPTURE(word);
        CHECK(active(word) == false);
    }
    CHECK(front.command<api::CreateDevice>({"POST", kGcm, kForm, "registration_id=x&active=false"})
              .fields.is_active == false);
    for (const char* word : {"2", "\"tRuE\"", "\"\"", "[]", "{}", "\"null\""}) {
        check_mistakes("POST",
                       kApns,
                       {{R"({"registration_id":"x","active":)" + std::string(word) + "}",
                         R"({"active":["Must be a valid boolean."]})"}});
    }
    check_mistakes("POST",
                   kApns,
                   {{R"({"registration_id":"x","active":null})",
                     R"({"active":["This field may not be null."]})"}});
}

TEST_CASE("All spaces of an APNs registration go, those inside a GCM one stay",
          "[api][validate][device]") {
    ApiFront front;
    const std::string body = R"({"registration_id":" ab cd  ef "})";
    CHECK(front.command<api::CreateDevice>(json_post(kApns, body)).fields.registration_id.text ==
          "abcdef");
    CHECK(front.command<api::CreateDevice>(json_post(kGcm, body)).fields.registration_id.text ==
          "ab cd  ef");
}

TEST_CASE("Name and device_id may be null, blank, or text", "[api][validate][device]") {
    ApiFront front;
    const auto& nulls = front.command<api::CreateDevice>(
        json_post(kApns, R"({"registration_id":"x","name":null,"device_id":null})"));
    CHECK(nulls.fields.name.is_null);
    CHECK(nulls.fields.device_id.is_null);
    const auto& blank = front.command<api::CreateDevice>(
        json_post(kApns, R"({"registration_id":"x","name":"","device_id":" "})"));
    CHECK((blank.fields.name.is_present && !blank.fields.name.is_null &&
           blank.fields.name.text.empty()));
    CHECK((blank.fields.device_id.is_present && !blank.fields.device_id.is_null &&
           blank.fields.device_id.text.empty()));
    const std::string name = repeat("\xE2\x82\xAC", 255);
    CHECK(front
              .command<api::CreateDevice>(
                  json_post(kApns, R"({"registration_id":"x","name":")" + name + "\"}"))
              .fields.name.text == name);
}

TEST_CASE("An empty form value of a nullable field means null", "[api][validate][device]") {
    ApiFront front;
    const auto& fields =
        front
            .command<api::CreateDevice>({"POST", kGcm, kForm, "registration_id=x&name=&device_id="})
            .fields;
    CHECK(fields.name.is_null);
    CHECK(fields.device_id.is_null);
}

TEST_CASE("What is wrong with a device is told for each field", "[api][validate][device]") {
    const std::string long_name = std::string(256, 'x');
    for (const std::string& path : {kApns, kGcm}) {
        check_mistakes(
            "POST",
            path,
            {
                {"{}", R"({"registration_id":["This field is required."]})"},
                {R"({"registration_id":null})",
                 R"({"registration_id":["This field may not be null."]})"},
                {R"({"registration_id":""})",
                 R"({"registration_id":["This field may not be blank."]})"},
                {R"({"registration_id":"  \t"})",
                 R"({"registration_id":["This field may not be blank."]})"},
                {R"({"registration_id":false})", R"({"registration_id":["Not a valid string."]})"},
                {R"({"registration_id":["x"]})", R"({"registration_id":["Not a valid string."]})"},
                {R"({"registration_id":{"x":1}})",
                 R"({"registration_id":["Not a valid string."]})"},
                {R"({"registration_id":")" + std::string(4'097, 'a') + "\"}",
                 R"({"registration_id":["Ensure this field has no more than 4096 characters."]})"},
                {R"({"name":")" + long_name + R"(","active":null,"device_id":")" +
                     std::string(1'025, 'x') + "\"}",
                 R"({"name":["Ensure this field has no more than 255 characters."],)"
                 R"("active":["This field may not be null."],)"
                 R"("registration_id":["This field is required."],)"
                 R"("device_id":["Ensure this field has no more than 1024 characters."]})"},
            });
    }
    check_mistakes(
        "POST",
        kApns,
        {{R"({"registration_id":1234})", R"({"registration_id":["Not a valid string."]})"}});
    ApiFront front;
    CHECK(front.command<api::CreateDevice>(json_post(kGcm, R"({"registration_id":1234})"))
              .fields.registration_id.text == "1234");
}

TEST_CASE("PUT needs a registration, PATCH needs nothing", "[api][validate][device]") {
    ApiFront front;
    check_mistakes("PUT",
                   kApns + kId,
                   {{R"({"name":"x"})", R"({"registration_id":["This field is required."]})"}});
    check_mistakes(
        "PATCH",
        kApns + kId,
        {{R"({"registration_id":""})", R"({"registration_id":["This field may not be blank."]})"}});
    const auto& patch =
        front.command<api::UpdateDevice>({"PATCH", kApns + kId, kJson, R"({"name":"x"})"});
    CHECK(patch.fields.name.text == "x");
    CHECK_FALSE(patch.fields.registration_id.is_present);
    CHECK(front.command<api::UpdateDevice>({"PATCH", kApns + kId}).id.text() == kId);
}

TEST_CASE("The Android SDK's PUT of its whole object works", "[api][validate][device]") {
    ApiFront front;
    const auto& device = front.command<api::UpdateDevice>(
        {"PUT",
         kGcm + kId + "/",
         "application/json; charset=UTF-8",
         R"({"name":"My phone","registration_id":"reg","id":"not even a uuid","device_id":"d",)"
         R"("active":true,)"
         R"("date_created":"2015-07-10T12:00:33.909289Z","type":"GCM"})"});
    CHECK(device.kind == store::DeviceKind::gcm);
    CHECK(device.id.text() == kId);
    CHECK(device.fields.registration_id.text == "reg");
    CHECK(device.fields.name.text == "My phone");
    CHECK(device.fields.device_id.text == "d");
    CHECK(device.fields.is_active == true);
}

TEST_CASE("A token is for one device, of either kind", "[api][validate][tokens]") {
    ApiFront front;
    const auto& apns = front.command<api::CreateToken>(json_post(
        kTokens,
        R"({"apns_device":"638426E6832F4A45AE9ADB409BA2FB4D","name":"This awesome token"})"));
    CHECK(apns.fields.apns_device->text() == kId);
    CHECK_FALSE(apns.fields.gcm_device);
    CHECK(apns.fields.name.text == "This awesome token");
    const auto& gcm = front.command<api::CreateToken>(
        {"POST", kTokens, kForm, "gcm_device=" + kId + "&apns_device=&name="});
    CHECK(gcm.fields.gcm_device->text() == kId);
    CHECK_FALSE(gcm.fields.apns_device);
    CHECK(gcm.fields.name.is_null);
    const auto& other_null = front.command<api::CreateToken>(
        json_post(kTokens,
                  R"({"apns_device":")" + kId +
                      R"(","gcm_device":null,"token":"mine","date_expires":"2099"})"));
    CHECK(other_null.fields.apns_device);
    CHECK_FALSE(other_null.fields.name.is_present);
}

TEST_CASE("What is wrong with a token is told", "[api][validate][tokens]") {
    const std::string either =
        R"({"non_field_errors":["Either an APNS or GCM device must be specified"]})";
    const std::string only_one =
        R"({"non_field_errors":["Only one APNS or one GCM device may be specified"]})";
    const std::string both = R"({"apns_device":")" + kId + R"(","gcm_device":")" + kId + "\"}";
    for (const char* method : {"POST", "PUT"}) {
        check_mistakes(
            method,
            kTokens + (std::string_view(method) == "PUT" ? "dd43/" : ""),
            {
                {"{}", either},
                {R"({"name":"x"})", either},
                {R"({"apns_device":null,"gcm_device":""})", either},
                {both, only_one},
                {R"({"apns_device":"notauuid"})",
                 R"({"apns_device":["'notauuid' is not a valid UUID."]})"},
                {R"({"apns_device":7})", R"({"apns_device":["'7' is not a valid UUID."]})"},
                {R"({"gcm_device":["x"]})",
                 R"({"gcm_device":["Incorrect type. Expected pk value, received list."]})"},
                {R"({"gcm_device":{}})",
                 R"({"gcm_device":["Incorrect type. Expected pk value, received dict."]})"},
                {R"({"name":")" + std::string(101, 'x') + R"(","gcm_device":"\"quoted\""})",
                 R"({"name":["Ensure this field has no more than 100 characters."],)"
                 R"("gcm_device":["'\"quoted\"' is not a valid UUID."]})"},
            });
    }
    check_mistakes("PATCH", kTokens + "dd43", {{both, only_one}});
}

TEST_CASE("A long text that is no UUID is quoted in part", "[api][validate][tokens]") {
    check_mistakes(
        "POST",
        kTokens,
        {{R"({"apns_device":")" + repeat("\xE2\x82\xAC", 5'000) + "\"}",
          R"({"apns_device":["')" + repeat("\xE2\x82\xAC", 33) + R"(' is not a valid UUID."]})"}});
}

TEST_CASE("PATCH of a token needs no device", "[api][validate][tokens]") {
    ApiFront front;
    const auto& patch =
        front.command<api::UpdateToken>({"PATCH", kTokens + "dd43/", kJson, R"({"name":"x"})"});
    CHECK(patch.token == "dd43");
    CHECK(patch.fields.name.text == "x");
    CHECK_FALSE(patch.fields.apns_device);
    CHECK_FALSE(patch.fields.gcm_device);
}

TEST_CASE("A knock's priority decides its urgency; what phones send, none, is not low",
          "[api][validate][knock]") {
    ApiFront front;
    const auto urgency_of = [&front](std::string_view content_type, std::string_view body) {
        return front.command<api::Knock>({"POST", kMessages, content_type, body}).urgency;
    };
    CHECK(urgency_of(kJson, R"({"token":"t"})") == Urgency::unspecified);
    CHECK(urgency_of(kJson, R"({"token":"t","priority":"high"})") == Urgency::high);
    CHECK(urgency_of(kJson, R"({"token":"t","priority":" high "})") == Urgency::high);
    CHECK(urgency_of(kJson, R"({"token":"t","priority":"low"})") == Urgency::low);
    CHECK(urgency_of(kJson, R"({"token":"t","priority":"HIGH"})") == Urgency::low);
    CHECK(urgency_of(kJson, R"({"token":"t","priority":"whatever"})") == Urgency::low);
    CHECK(urgency_of(kJson, R"({"token":"t","priority":5})") == Urgency::low);
    CHECK(urgency_of(kJson, R"({"token":"t","priority":null})") == Urgency::low);
    CHECK(urgency_of(kForm, "token=t&priority=") == Urgency::low);
    CHECK(urgency_of(kForm, "token=t&priority=high") == Urgency::high);
    CHECK(urgency_of(kMultipart, multipart_of({"token=t", "priority=high"})) == Urgency::high);
}

TEST_CASE("Fields of the protocol's past are ignored", "[api][validate][knock]") {
    ApiFront front;
    const std::string alert(300, 'x');
    CHECK(front
              .command<api::Knock>(json_post(
                  kMessages, R"({"token":"t","type":"message","alert_body":")" + alert + "\"}"))
              .token == "t");
    CHECK(front
              .command<api::Knock>({"POST",
                                    kMessages,
                                    kMultipart,
                                    multipart_of({"token=t", "type=message", "priority=high"})})
              .urgency == Urgency::high);
}

TEST_CASE("A knock carries nothing, a text, or an object", "[api][validate][knock]") {
    ApiFront front;
    const auto extra_of = [&front](std::string_view content_type, std::string_view body) {
        return front.command<api::Knock>({"POST", kMessages, content_type, body}).extra;
    };
    CHECK(extra_of(kJson, R"({"token":"t"})").kind == ExtraKind::null);
    CHECK(extra_of(kJson, R"({"token":"t","data":null})").kind == ExtraKind::null);
    CHECK(extra_of(kForm, "token=t&data=").kind == ExtraKind::null);
    CHECK(extra_of(kMultipart, multipart_of({"token=t", "data="})).kind == ExtraKind::null);
    CHECK(extra_of(kForm, "token=t&data=%C3%A4").text == "\xC3\xA4");
    CHECK(extra_of(kJson, R"({"token":"t","data":" hello "})").text == "hello");
    CHECK(extra_of(kJson, R"({"token":"t","data":7})").text == "7");
    const auto object = extra_of(kJson, R"({"token":"t","data": { "a" : [ 1 ] } })");
    CHECK(object.kind == ExtraKind::object);
    CHECK(object.text == R"({"a":[1]})");
}

TEST_CASE("Any hundred characters of data pass, and no more than a kibibyte of JSON",
          "[api][validate][knock]") {
    ApiFront front;
    const auto takes = [&front](std::string_view data) {
        front.decode(json_post(kMessages, R"({"token":"t","data":)" + std::string(data) + "}"));
        return std::holds_alternative<api::Knock>(front.call().command);
    };
    CHECK(takes("\"" + repeat("\xF0\x9F\x98\x80", 100) + "\""));
    CHECK(takes("\"" + repeat("\\u0001", 100) + "\""));
    CHECK(takes("\"" + std::string(1'024, 'x') + "\""));
    CHECK_FALSE(takes("\"" + std::string(1'025, 'x') + "\""));
    CHECK(takes("\"" + repeat("\\\"", 512) + "\""));
    CHECK_FALSE(takes("\"" + repeat("\\\"", 512) + "x\""));
    CHECK(takes("\"" + repeat("\\u0001", 170) + "\""));
    CHECK_FALSE(takes("\"" + repeat("\\u0001", 171) + "\""));
    CHECK(takes(R"({"a":")" + std::string(1'016, 'x') + "\"}"));
    CHECK_FALSE(takes(R"({"a":")" + std::string(1'017, 'x') + "\"}"));
}

TEST_CASE("What is wrong with a knock is told for each field", "[api][validate][knock]") {
    check_mistakes(
        "POST",
        kMessages,
        {
            {"{}", R"({"token":["This field is required."]})"},
            {R"({"token":null})", R"({"token":["This field may not be null."]})"},
            {R"({"token":" "})", R"({"token":["This field may not be blank."]})"},
            {R"({"token":["t"]})", R"({"token":["Not a valid string."]})"},
            {R"({"token":")" + std::string(201, 'x') + "\"}",
             R"({"token":["Ensure this field has no more than 200 characters."]})"},
            {R"({"token":"t","data":""})", R"({"data":["This field may not be blank."]})"},
            {R"({"token":"t","data":[1]})", R"({"data":["Not a valid string."]})"},
            {R"({"token":"t","data":true})", R"({"data":["Not a valid string."]})"},
            {R"({"token":"t","data":"\u0000"})",
             R"({"data":["Null characters are not allowed."]})"},
            {R"({"token":"t","data":")" + std::string(1'025, 'x') + "\"}",
             R"({"data":["Ensure this field has no more than 1024 characters."]})"},
            {R"({"token":"t","data":{"a":")" + std::string(1'024, 'x') + "\"}}",
             R"({"data":["Ensure this field has no more than 1024 characters."]})"},
            {R"({"token":"t","priority":""})", R"({"priority":["This field may not be blank."]})"},
            {R"({"data":{},"priority":")" + std::string(101, 'x') + "\"}",
             R"({"token":["This field is required."],)"
             R"("priority":["Ensure this field has no more than 100 characters."]})"},
        });
    ApiFront front;
    CHECK(front.refusal({"POST", kMessages, kForm, "token=&data=%20"}).body ==
          R"({"token":["This field may not be blank."],"data":["This field may not be blank."]})");
}
