// SPDX-License-Identifier: GPL-3.0-or-later
// Items 27 to 48 of the checklist, and section 2.4 of chatsecure-push.md.
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "base/uuid.h"
#include "tests/integration/conformance.h"

namespace knuckle::test {

namespace {

const std::string kRegistration =
    "c8631d19e5b1a6bd2b2f3c1b3f4ad1b0a4a6e3cb2fd1c44a5be0cc44a5e8322a";

// A device by its own member alone.
Body registration(std::string_view id) {
    return json(R"({"registration_id":")" + std::string(id) + R"("})");
}

std::string in_upper_case(std::string text) {
    for (char& c : text) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return text;
}

std::string without_dashes(std::string text) {
    std::erase(text, '-');
    return text;
}

}  // namespace

TEST_CASE("27 a device needs its registration and no more", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    for (const char* const path : {"device/apns/", "device/apns", "device/gcm/", "device/gcm"}) {
        INFO(path);
        const HttpResponse made =
            here.api.ask(post(path, registration(kRegistration)).by(anna.auth).as(kIos));
        CHECK(made.status == 201);
        CHECK(json_shape(made.body) == kBareDeviceShape);
        const std::string id = json_string(made.body, "/id");
        CHECK(Uuid::parse(id)->text() == id);
        CHECK(made.body == R"({"name":null,"id":")" + id +
                               R"(","active":true,"registration_id":")" + kRegistration +
                               R"(","device_id":null,"date_created":")" +
                               json_string(made.body, "/date_created") + R"("})");
    }
}

TEST_CASE("28 both clients read date_created, and as the same time: now",
          "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const int64_t before = now_in_ms();
    const HttpResponse made =
        here.api.ask(post("device/apns/", registration(kRegistration)).by(anna.auth));
    const std::string date = json_string(made.body, "/date_created");
    CHECK(date.size() == std::string_view("2026-11-23T01:51:10.000000Z").size());
    const auto ios = read_date_as_ios(date);
    REQUIRE(ios);
    CHECK(read_date_as_android(date) == ios);
    CHECK(*ios >= before);
    CHECK(*ios <= now_in_ms());
    // It stays what it was.
    const std::string path = "device/apns/" + json_string(made.body, "/id") + "/";
    CHECK(json_string(here.api.ask(get(path).by(anna.auth)).body, "/date_created") == date);
}

TEST_CASE("29 name and device_id are echoed, or null", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const HttpResponse full = here.api.ask(
        post("device/apns/",
             json(R"({"registration_id":"abcd","name":"Annas \"Ph\u00f6ne\"","device_id":"id 7"})"))
            .by(anna.auth));
    CHECK(full.status == 201);
    CHECK(json_shape(full.body) == kFullDeviceShape);
    CHECK(json_string(full.body, "/name") == "Annas \"Ph\xc3\xb6ne\"");
    CHECK(json_string(full.body, "/device_id") == "id 7");
    const HttpResponse nulls = here.api.ask(
        post("device/apns/", json(R"({"registration_id":"abcd","name":null,"device_id":null})"))
            .by(anna.auth));
    CHECK(json_shape(nulls.body) == kBareDeviceShape);
    // In a form empty is null, in JSON it is a text.
    const HttpResponse empty_form = here.api.ask(
        post("device/apns/", form({{"registration_id", "abcd"}, {"name", ""}, {"device_id", ""}}))
            .by(anna.auth));
    CHECK(json_shape(empty_form.body) == kBareDeviceShape);
    const HttpResponse empty_json = here.api.ask(
        post("device/apns/", json(R"({"registration_id":"abcd","name":"","device_id":""})"))
            .by(anna.auth));
    CHECK(json_shape(empty_json.body) == kFullDeviceShape);
}

TEST_CASE("30 answers come in no encoding that a client did not ask for",
          "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    // ApiClient refuses any Content-Encoding, whatever was offered.
    for (const char* const line : {"Accept-Encoding: gzip;q=1.0,compress;q=0.5",
                                   "Accept-Encoding: gzip",
                                   "Accept-Encoding: br, zstd, *",
                                   "Accept-Encoding: identity;q=0"}) {
        const HttpResponse list = here.api.ask(get("device/apns/").by(anna.auth).with(line));
        CHECK(list.status == 200);
        CHECK(json_shape(list.body) == list_of(""));
    }
}

TEST_CASE("31 registering again is no error", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Member bert = here.api.sign_up("bert");
    const std::string first = here.api.add_device(anna.auth, kRegistration);
    const std::string second = here.api.add_device(anna.auth, kRegistration);
    const std::string third = here.api.add_device(bert.auth, kRegistration);
    for (const auto& [auth, id] :
         Fields{{anna.auth, first}, {anna.auth, second}, {bert.auth, third}}) {
        const HttpResponse own = here.api.ask(get("device/apns/" + id + "/").by(auth));
        CHECK(own.status == 200);
        CHECK(json_string(own.body, "/registration_id") == kRegistration);
    }
}

TEST_CASE("32 spaces are no part of an APNs registration", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string spaced = " " + kRegistration.substr(0, 8) + " " + kRegistration.substr(8, 8) +
                               "  " + kRegistration.substr(16) + " ";
    for (const Body& body : {registration(spaced),
                             form({{"registration_id", spaced}}),
                             multipart({{"registration_id", spaced}})}) {
        const HttpResponse made = here.api.ask(post("device/apns/", body).by(anna.auth));
        CHECK(made.status == 201);
        CHECK(json_string(made.body, "/registration_id") == kRegistration);
    }
    // Of a GCM registration only those around it.
    const HttpResponse gcm =
        here.api.ask(post("device/gcm/", registration(" APA91b Hpx ")).by(anna.auth));
    CHECK(json_string(gcm.body, "/registration_id") == "APA91b Hpx");
}

TEST_CASE("33 a registration may be anything", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    for (const std::string& text : {std::string("1234asdf"),
                                    std::string("../../x?y#z"),
                                    std::string("\xf0\x9f\x93\xb1"),
                                    std::string(4'000, 'a')}) {
        for (const char* const path : {"device/apns/", "device/gcm/"}) {
            const HttpResponse made = here.api.ask(post(path, registration(text)).by(anna.auth));
            CHECK(made.status == 201);
            CHECK(json_string(made.body, "/registration_id") == text);
        }
    }
}

TEST_CASE("34 a device is active unless it is said not to be", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const auto is_active_after = [&](const Body& body) {
        const HttpResponse made = here.api.ask(post("device/apns/", body).by(anna.auth));
        CHECK(made.status == 201);
        return made.body.find(R"("active":true)") != std::string::npos;
    };
    const Fields plain = {{"registration_id", "abcd"}};
    CHECK(is_active_after(registration("abcd")));
    CHECK(is_active_after(form(plain)));
    CHECK(is_active_after(multipart(plain)));
    CHECK(is_active_after(form({{"registration_id", "abcd"}, {"active", "true"}})));
    CHECK_FALSE(is_active_after(json(R"({"registration_id":"abcd","active":false})")));
    CHECK_FALSE(is_active_after(json(R"({"registration_id":"abcd","active":"false"})")));
    CHECK_FALSE(is_active_after(form({{"registration_id", "abcd"}, {"active", "false"}})));
    CHECK_FALSE(is_active_after(multipart({{"registration_id", "abcd"}, {"active", "0"}})));

    // A PUT without it leaves it as it is, also as a form.
    for (const bool is_active : {true, false}) {
        const HttpResponse made =
            here.api.ask(post("device/apns/",
                              json(std::string(R"({"registration_id":"abcd","active":)") +
                                   (is_active ? "true}" : "false}")))
                             .by(anna.auth));
        const std::string path = "device/apns/" + json_string(made.body, "/id") + "/";
        for (const Body& body : {registration("abcd"), form(plain), multipart(plain)}) {
            const HttpResponse changed = here.api.ask(put(path, body).by(anna.auth));
            CHECK(changed.status == 200);
            CHECK((changed.body.find(R"("active":true)") != std::string::npos) == is_active);
        }
    }
    for (const std::string_view wrong : {"null", "\"perhaps\"", "2", "[]", "{}"}) {
        const HttpResponse refused = here.api.ask(
            post("device/apns/",
                 json(R"({"registration_id":"abcd","active":)" + std::string(wrong) + "}"))
                .by(anna.auth));
        CHECK(refused.status == 400);
        CHECK(json_shape(refused.body) == "{active:[string]}");
    }
}

TEST_CASE("35 a device without a registration is refused", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    for (const char* const path : {"device/apns/", "device/gcm/"}) {
        const auto answer_to = [&](const std::optional<Body>& body) {
            const HttpResponse refused = here.api.ask(post(path, body).by(anna.auth));
            CHECK(refused.status == 400);
            return refused.body;
        };
        const std::string missing = R"({"registration_id":["This field is required."]})";
        CHECK(answer_to(json("{}")) == missing);
        CHECK(answer_to({}) == missing);
        CHECK(answer_to(form({{"name", "x"}})) == missing);
        CHECK(answer_to(json(R"({"registration_id":null})")) ==
              R"({"registration_id":["This field may not be null."]})");
        const std::string blank = R"({"registration_id":["This field may not be blank."]})";
        CHECK(answer_to(registration("")) == blank);
        CHECK(answer_to(registration("  ")) == blank);
        CHECK(answer_to(form({{"registration_id", ""}})) == blank);
        CHECK(json_shape(here.api.ask(get(path).by(anna.auth)).body) == list_of(""));
    }
}

TEST_CASE("36 an APNs registration that is no text is refused", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    for (const std::string_view wrong : {"1234", "1.5", "true", "[]", "{}", "[\"abcd\"]"}) {
        INFO(wrong);
        const HttpResponse refused = here.api.ask(
            post("device/apns/", json(R"({"registration_id":)" + std::string(wrong) + "}"))
                .by(anna.auth));
        CHECK(refused.status == 400);
        CHECK(refused.body == R"({"registration_id":["Not a valid string."]})");
    }
    CHECK(here.api.ask(post("device/apns/", registration("   ")).by(anna.auth)).status == 400);
}

TEST_CASE("37 a name that is too long is refused", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const auto with_name = [](size_t size) {
        return json(R"({"registration_id":"abcd","name":")" + std::string(size, 'n') + R"("})");
    };
    const HttpResponse refused = here.api.ask(post("device/apns/", with_name(256)).by(anna.auth));
    CHECK(refused.status == 400);
    CHECK(refused.body == R"({"name":["Ensure this field has no more than 255 characters."]})");
    const HttpResponse made = here.api.ask(post("device/apns/", with_name(255)).by(anna.auth));
    CHECK(made.status == 201);
    CHECK(json_string(made.body, "/name") == std::string(255, 'n'));
}

TEST_CASE("38 without credentials there are no devices", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string id = here.api.add_device(anna.auth, kRegistration);
    const std::vector<Request> requests = {post("device/apns/", registration("abcd")),
                                           put("device/apns/" + id + "/", registration("abcd")),
                                           patch("device/apns/" + id + "/", registration("abcd")),
                                           del("device/apns/" + id + "/"),
                                           post("device/gcm/", registration("abcd"))};
    for (const Request& request : requests) {
        INFO(request.method);
        const HttpResponse anonymous = here.api.ask(request);
        CHECK(anonymous.status == 401);
        CHECK(anonymous.body == R"({"detail":"Authentication credentials were not provided."})");
        const HttpResponse stranger = here.api.ask(request.by(std::string(40, 'a')));
        CHECK(stranger.status == 401);
        CHECK(stranger.body == R"({"detail":"Invalid token."})");
    }
    const HttpResponse list = here.api.ask(get("device/apns/").by(anna.auth));
    CHECK(json_number(list.body, "/count") == 1);
    CHECK(json_string(list.body, "/results/0/registration_id") == kRegistration);
}

TEST_CASE("39 a PUT changes the registration and nothing that it does not name",
          "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const HttpResponse made = here.api.ask(
        post("device/apns/", json(R"({"registration_id":"abcd","name":"Phone","device_id":"7"})"))
            .by(anna.auth));
    const std::string id = json_string(made.body, "/id");
    const auto with_registration = [&](const std::string& text) {
        std::string body = made.body;
        return body.replace(body.find("abcd"), 4, text);
    };
    for (const std::string& path : {"device/apns/" + id + "/", "device/apns/" + id}) {
        const HttpResponse changed =
            here.api.ask(put(path, registration(kRegistration)).by(anna.auth).as(kIos));
        CHECK(changed.status == 200);
        CHECK(changed.body == with_registration(kRegistration));
    }
    // The iOS app sends our own id as device_id, at every launch.
    const HttpResponse launch = here.api.ask(
        put("device/apns/" + id + "/",
            json(R"({"registration_id":")" + kRegistration + R"(","device_id":")" + id + R"("})"))
            .by(anna.auth)
            .as(kIos));
    CHECK(launch.status == 200);
    CHECK(json_string(launch.body, "/id") == id);
    CHECK(json_string(launch.body, "/device_id") == id);
    CHECK(json_string(launch.body, "/name") == "Phone");
    CHECK(json_string(launch.body, "/date_created") == json_string(made.body, "/date_created"));
    // A PATCH needs not even that.
    const HttpResponse patched =
        here.api.ask(patch("device/apns/" + id + "/", json(R"({"name":null})")).by(anna.auth));
    CHECK(patched.status == 200);
    CHECK(is_json_null(patched.body, "/name"));
    CHECK(json_string(patched.body, "/registration_id") == kRegistration);
    CHECK(here.api.ask(get("device/apns/" + id).by(anna.auth)).body == patched.body);
}

TEST_CASE("40 a PUT needs the registration", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string path = "device/apns/" + here.api.add_device(anna.auth, "abcd") + "/";
    const std::string before = here.api.ask(get(path).by(anna.auth)).body;
    for (const Body& body : {json(R"({"name":"Phone"})"), form({{"name", "Phone"}}), json("{}")}) {
        const HttpResponse refused = here.api.ask(put(path, body).by(anna.auth));
        CHECK(refused.status == 400);
        CHECK(refused.body == R"({"registration_id":["This field is required."]})");
    }
    CHECK(here.api.ask(put(path, registration(" ")).by(anna.auth)).status == 400);
    CHECK(here.api.ask(get(path).by(anna.auth)).body == before);
}

TEST_CASE("41 the whole object that Android sends is taken", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const HttpResponse made =
        here.api.ask(post("device/gcm/",
                          form({{"registration_id", "old"}, {"name", "Phone"}, {"device_id", "7"}}))
                         .by(anna.auth)
                         .as(kAndroid));
    CHECK(made.status == 201);
    const std::string id = json_string(made.body, "/id");
    const HttpResponse changed = here.api.ask(
        put("device/gcm/" + id + "/",
            Body{"application/json; charset=UTF-8",
                 R"({"name":"Phone","registration_id":"new",)"
                 R"("id":"00000000-0000-4000-8000-000000000000","device_id":"7","active":true,)"
                 R"("date_created":"2015-07-01T12:45:09.000001Z","type":"GCM"})"})
            .by(anna.auth)
            .as(kAndroid));
    CHECK(changed.status == 200);
    std::string expected = made.body;
    expected.replace(expected.find("old"), 3, "new");
    CHECK(changed.body == expected);
}

TEST_CASE("42 a foreign device cannot be read, changed or deleted", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Member bert = here.api.sign_up("bert");
    const Phone phone = here.api.add_phone(anna, 1);
    const std::string path = "device/apns/" + phone.device + "/";
    const std::string before = here.api.ask(get(path).by(anna.auth)).body;
    for (const Request& request : {get(path),
                                   put(path, registration("stolen")),
                                   patch(path, json(R"({"name":"stolen"})")),
                                   del(path)}) {
        INFO(request.method);
        const HttpResponse refused = here.api.ask(request.by(bert.auth));
        CHECK(refused.status == 404);
        CHECK(refused.body == kNotFound);
    }
    CHECK(here.api.ask(get(path)).status == 404);
    CHECK(here.api.ask(get(path).by(anna.auth)).body == before);
    CHECK(here.api.knock(phone.token) == 202);
}

TEST_CASE("43 malformed ids, unknown ones and those of the other kind are not found",
          "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string apns = here.api.add_device(anna.auth, "abcd");
    const std::string gcm = here.api.add_device(anna.auth, "efgh", "gcm");
    for (const std::string& path :
         {"device/gcm/" + apns + "/",
          "device/apns/" + gcm + "/",
          std::string("device/apns/00000000-0000-4000-8000-000000000000/"),
          std::string("device/apns/1/"),
          "device/apns/" + apns + "0/",
          "device/apns/" + apns.substr(1) + "/",
          std::string("device/apns/%00/"),
          std::string("device/apns/%ff%fe/")}) {
        INFO(path);
        for (const Request& request :
             {get(path), put(path, registration("stolen")), patch(path, json("{}")), del(path)}) {
            const HttpResponse refused = here.api.ask(request.by(anna.auth));
            CHECK(refused.status == 404);
            CHECK(refused.body == kNotFound);
        }
    }
    // Other spellings of a UUID are the same.
    for (const std::string& spelling : {in_upper_case(apns), without_dashes(apns)}) {
        const HttpResponse own = here.api.ask(get("device/apns/" + spelling + "/").by(anna.auth));
        CHECK(own.status == 200);
        CHECK(json_string(own.body, "/id") == apns);
    }
    CHECK(here.api.ask(get("device/gcm/" + gcm + "/").by(anna.auth)).status == 200);
}

TEST_CASE("44 a list holds the own devices of its kind, each as it was made",
          "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Member bert = here.api.sign_up("bert");
    const auto add = [&](const char* path, const char* id) {
        return here.api.ask(post(path, registration(id)).by(anna.auth)).body;
    };
    const std::string first = add("device/apns/", "aaaa");
    const std::string second = add("device/apns/", "bbbb");
    const std::string android = add("device/gcm/", "cccc");
    here.api.add_device(bert.auth, "dddd");

    const HttpResponse apns = here.api.ask(get("device/apns/").by(anna.auth));
    CHECK(apns.status == 200);
    const std::vector<std::string> listed = json_elements(apns.body, "/results");
    REQUIRE(listed.size() == 2);
    CHECK(((listed[0] == first && listed[1] == second) ||
           (listed[0] == second && listed[1] == first)));
    const HttpResponse gcm = here.api.ask(get("device/gcm").by(anna.auth));
    REQUIRE(json_elements(gcm.body, "/results").size() == 1);
    CHECK(json_elements(gcm.body, "/results")[0] == android);
}

TEST_CASE("45 lists come in the wrapper that both SDKs read", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const auto list = [&](const char* path) { return here.api.ask(get(path).by(anna.auth)).body; };
    for (const char* const path : {"device/apns/", "device/gcm/", "tokens/"})
        CHECK(list(path) == R"({"count":0,"next":null,"previous":null,"results":[]})");
    // Everything is on one page.
    for (int i = 0; i < 15; ++i) here.api.add_device(anna.auth, registration_of(i));
    CHECK(json_shape(list("device/apns/")) == list_of(kBareDeviceShape));
    CHECK(json_number(list("device/apns/"), "/count") == 15);
    CHECK(json_elements(list("device/apns/"), "/results").size() == 15);
}

TEST_CASE("45 an operator may have bare lists", "[conformance][devices]") {
    Deployment here([](GatewayConfig& config) { config.chatsecure = "bare_lists = true\n"; });
    const Member anna = here.api.sign_up("anna");
    CHECK(here.api.ask(get("tokens/").by(anna.auth)).body == "[]");
    here.api.add_phone(anna, 1);
    CHECK(json_shape(here.api.ask(get("device/apns/").by(anna.auth)).body) ==
          "[" + std::string(kBareDeviceShape) + "]");
    CHECK(json_shape(here.api.ask(get("tokens/").by(anna.auth)).body) ==
          "[" + std::string(kNamelessTokenShape) + "]");
}

TEST_CASE("46 without credentials lists show nothing", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    here.api.add_phone(anna, 1);
    for (const char* const path : {"device/apns/", "device/gcm/", "tokens/"}) {
        const HttpResponse refused = here.api.ask(get(path));
        CHECK(refused.status == 401);
        CHECK(refused.body == R"({"detail":"Authentication credentials were not provided."})");
    }
}

TEST_CASE("47 a deleted device is gone", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    for (const char* const kind : {"apns", "gcm"}) {
        const std::string collection = "device/" + std::string(kind) + "/";
        const std::string kept = here.api.add_device(anna.auth, "kept", kind);
        const std::string path = collection + here.api.add_device(anna.auth, "gone", kind);
        const HttpResponse gone = here.api.ask(del(path + "/").by(anna.auth).as(kAndroid));
        CHECK(gone.status == 204);
        CHECK(gone.body.empty());
        CHECK(gone.field("content-type").empty());
        for (const Request& request : {get(path + "/"),
                                       del(path + "/"),
                                       del(path),
                                       put(path + "/", registration("again"))}) {
            const HttpResponse refused = here.api.ask(request.by(anna.auth));
            CHECK(refused.status == 404);
            CHECK(refused.body == kNotFound);
        }
        const HttpResponse list = here.api.ask(get(collection).by(anna.auth));
        CHECK(json_number(list.body, "/count") == 1);
        CHECK(json_string(list.body, "/results/0/id") == kept);
    }
}

TEST_CASE("48 the tokens of a deleted device are gone with it", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone gone = here.api.add_phone(anna, 1);
    const Phone kept = here.api.add_phone(anna, 2);
    const std::string another = here.api.make_token(anna.auth, gone.device);
    REQUIRE(here.api.ask(del("device/apns/" + gone.device + "/").by(anna.auth)).status == 204);
    for (const std::string& token : {gone.token, another}) {
        CHECK(here.api.knock(token) == 404);
        CHECK(here.api.ask(get("tokens/" + token + "/").by(anna.auth)).status == 404);
    }
    const HttpResponse list = here.api.ask(get("tokens/").by(anna.auth));
    REQUIRE(json_number(list.body, "/count") == 1);
    CHECK(json_string(list.body, "/results/0/token") == kept.token);
    CHECK(here.api.knock(kept.token) == 202);
    // The phone that is left rings, the other does not.
    CHECK(here.apns.count("/requests") == 1);
    CHECK(json_string(here.apns.arrivals().front(), "/path") == "/3/device/" + kept.registration);
}

TEST_CASE("2.4 device paths take no other methods", "[conformance][devices]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string id = here.api.add_device(anna.auth, "abcd");
    for (const Request& request : {post("device/apns/" + id + "/", registration("x")),
                                   del("device/apns/"),
                                   put("device/apns/", registration("x")),
                                   patch("device/gcm/", registration("x"))}) {
        INFO(request.method << " " << request.path);
        CHECK(here.api.ask(request.by(anna.auth)).status == 405);
    }
    CHECK(json_number(here.api.ask(get("device/apns/").by(anna.auth)).body, "/count") == 1);
}

}  // namespace knuckle::test
