// SPDX-License-Identifier: GPL-3.0-or-later
// Items 1 to 26 of the checklist, and section 2.2 and 2.3 of chatsecure-push.md.
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/uuid.h"
#include "tests/integration/conformance.h"

namespace knuckle::test {

namespace {

// As iOS makes them: the first 30 characters of an upper-case UUID.
constexpr std::string_view kIosUsername = "3F2504E0-4F89-41D3-9A0C-0305E8";

bool is_auth_token(const std::string& text) {
    return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Body credentials(std::string_view username, std::string_view password) {
    return json(R"({"username":")" + std::string(username) + R"(","password":")" +
                std::string(password) + R"("})");
}

}  // namespace

TEST_CASE("1 one POST of JSON makes an account", "[conformance][accounts]") {
    Deployment here;
    for (const char* const path : {"accounts/", "accounts"}) {
        const HttpResponse made =
            here.api.ask(post(path, credentials(path, app_password())).as(kIos));
        CHECK(made.status == 200);
        CHECK(made.field("content-type") == "application/json");
        CHECK(json_string(made.body, "/username") == path);
    }
}

TEST_CASE("2 an account is an object of strings, never null", "[conformance][accounts]") {
    Deployment here;
    const auto shape_after = [&](std::string_view body) {
        return json_shape(here.api.ask(post("accounts/", json(body)).as(kIos)).body);
    };
    CHECK(shape_after(R"({"username":"anna","password":"x"})") == kAccountShape);
    CHECK(shape_after(R"({"username":"anna","password":"x"})") == kAccountShape);
    CHECK(shape_after(R"({"username":"bert","password":"x","email":null})") == kAccountShape);
    CHECK(shape_after(R"({"username":12345,"password":67890})") == kAccountShape);
}

TEST_CASE("3 an account has its username, a UUID and an auth token, and no password",
          "[conformance][accounts]") {
    Deployment here;
    const HttpResponse made =
        here.api.ask(post("accounts/", credentials(kIosUsername, app_password())).as(kIos));
    CHECK(json_string(made.body, "/username") == kIosUsername);
    const std::string id = json_string(made.body, "/id");
    CHECK(id.size() == 36);
    CHECK(Uuid::parse(id)->text() == id);
    CHECK(is_auth_token(json_string(made.body, "/token")));
    CHECK(made.body.find("assword") == std::string::npos);
    CHECK(made.body.find(app_password()) == std::string::npos);
}

TEST_CASE("4 an e-mail address is echoed, and empty where none was given",
          "[conformance][accounts]") {
    Deployment here;
    const auto email_after = [&](const Body& body) {
        const HttpResponse made = here.api.ask(post("accounts/", body));
        CHECK(made.status == 200);
        return json_string(made.body, "/email");
    };
    CHECK(email_after(json(R"({"username":"a","password":"x","email":"a@example.org"})")) ==
          "a@example.org");
    CHECK(email_after(json(R"({"username":"b","password":"x"})")).empty());
    CHECK(email_after(json(R"({"username":"c","password":"x","email":null})")).empty());
    CHECK(email_after(form({{"username", "d"}, {"password", "x"}, {"email", ""}})).empty());
    // Only the domain is the same in any case of letters.
    CHECK(email_after(json(R"({"username":"e","password":"x","email":"E@Example.ORG"})")) ==
          "E@example.org");
    // At a login it is not looked at.
    CHECK(email_after(json(R"({"username":"a","password":"x","email":"z@example.org"})")) ==
          "a@example.org");
}

TEST_CASE("5 the same credentials log in to the same account", "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const HttpResponse login =
        here.api.ask(post("accounts/", credentials("anna", anna.password)).as(kIos));
    CHECK(login.status == 200);
    CHECK(json_shape(login.body) == kAccountShape);
    CHECK(json_string(login.body, "/id") == anna.id);
    for (const std::string& auth : {anna.auth, json_string(login.body, "/token")}) {
        const HttpResponse own = here.api.ask(get("accounts/").by(auth));
        CHECK(own.status == 200);
        CHECK(json_string(own.body, "/id") == anna.id);
    }
    // White space around a text is none of it.
    const HttpResponse padded =
        here.api.ask(post("accounts/", credentials(" anna ", "\\t" + anna.password + "\\n")));
    CHECK(padded.status == 200);
    CHECK(json_string(padded.body, "/id") == anna.id);
    // Usernames are case-sensitive.
    CHECK(json_string(here.api.ask(post("accounts/", credentials("Anna", "x"))).body, "/id") !=
          anna.id);
}

TEST_CASE("6 a wrong password is 401 and says nothing of the account", "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const HttpResponse refused = here.api.ask(post("accounts/", credentials("anna", "wrong")));
    CHECK(refused.status == 401);
    CHECK(refused.body == R"({"error":"Invalid credentials"})");
    // Nothing has changed for who knows the right one.
    CHECK(here.api.ask(post("accounts/", credentials("anna", anna.password))).status == 200);
    CHECK(here.api.ask(get("accounts/").by(anna.auth)).status == 200);
}

TEST_CASE("7 no 401 opens a dialogue for a password", "[conformance][accounts]") {
    Deployment here;
    here.api.sign_up("anna");
    const auto challenge_of = [&](const Request& request) {
        const HttpResponse refused = here.api.ask(request);
        CHECK(refused.status == 401);
        return refused.field("www-authenticate");
    };
    CHECK(challenge_of(post("accounts/", credentials("anna", "wrong"))).empty());
    CHECK(challenge_of(get("accounts/")) == "Token");
    CHECK(challenge_of(get("tokens/").by(std::string(40, 'f'))) == "Token");
}

TEST_CASE("8 forms and multipart forms make accounts as JSON does", "[conformance][accounts]") {
    Deployment here;
    const Fields fields = {{"username", "anna+bert & co"}, {"password", "a+b/c=d&e%41 f"}};
    const HttpResponse made = here.api.ask(post("accounts/", form(fields)).as(kAndroid));
    CHECK(made.status == 200);
    CHECK(json_string(made.body, "/username") == "anna+bert & co");
    for (const Body& body :
         {multipart(fields),
          form(fields),
          Body{"Application/JSON; charset=UTF-8",
               R"({"username":"anna+bert & co","password":"a+b\/c=d&e%41 f"})"},
          Body{"application/x-www-form-urlencoded; charset=utf-8",
               "username=anna%2bbert+%26+co&password=a%2Bb%2fc%3Dd%26e%2541%20f"}}) {
        INFO(body.type);
        const HttpResponse login = here.api.ask(post("accounts/", body));
        CHECK(login.status == 200);
        CHECK(login.body == made.body);
    }
}

TEST_CASE("9 what apps choose for username and password fits", "[conformance][accounts]") {
    Deployment here;
    REQUIRE(kIosUsername.size() == 30);
    REQUIRE(app_password().size() == 100);
    const HttpResponse made =
        here.api.ask(post("accounts/", credentials(kIosUsername, app_password())).as(kIos));
    CHECK(made.status == 200);
    const HttpResponse login =
        here.api.ask(post("accounts/", credentials(kIosUsername, app_password())).as(kIos));
    CHECK(login.body == made.body);
    // Limits count characters, not bytes.
    std::string umlauts;
    for (int i = 0; i < 30; ++i) umlauts += "\xc3\xa4";
    const HttpResponse wide = here.api.ask(post("accounts/", credentials(umlauts, "x")));
    CHECK(wide.status == 200);
    CHECK(json_string(wide.body, "/username") == umlauts);
}

TEST_CASE("10 all hundred characters of a password count", "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    for (const size_t at : {size_t{0}, size_t{55}, size_t{72}, size_t{99}}) {
        std::string other = anna.password;
        other[at] = other[at] == 'x' ? 'y' : 'x';
        CHECK(here.api.ask(post("accounts/", credentials("anna", other))).status == 401);
    }
    CHECK(
        here.api.ask(post("accounts/", credentials("anna", anna.password.substr(0, 99)))).status ==
        401);
}

TEST_CASE("11 a username or password that is too long is refused", "[conformance][accounts]") {
    Deployment here;
    const HttpResponse username =
        here.api.ask(post("accounts/", credentials(std::string(31, 'x'), "x")));
    CHECK(username.status == 400);
    CHECK(username.body == R"({"username":["Ensure this field has no more than 30 characters."]})");
    const HttpResponse password =
        here.api.ask(post("accounts/", credentials("anna", std::string(101, 'x'))));
    CHECK(password.status == 400);
    CHECK(password.body ==
          R"({"password":["Ensure this field has no more than 100 characters."]})");
}

TEST_CASE("12 missing and blank fields are named, each with its list", "[conformance][accounts]") {
    Deployment here;
    const auto answer_to = [&](const std::optional<Body>& body) {
        const HttpResponse refused = here.api.ask(post("accounts/", body));
        CHECK(refused.status == 400);
        return refused.body;
    };
    const std::string both_missing =
        R"({"username":["This field is required."],"password":["This field is required."]})";
    CHECK(answer_to(json("{}")) == both_missing);
    CHECK(answer_to({}) == both_missing);
    CHECK(answer_to(form({})) == both_missing);
    CHECK(answer_to(json(R"({"username":"anna"})")) ==
          R"({"password":["This field is required."]})");
    CHECK(answer_to(json(R"({"username":"","password":"x"})")) ==
          R"({"username":["This field may not be blank."]})");
    CHECK(answer_to(json(R"({"username":"anna","password":" \t\n"})")) ==
          R"({"password":["This field may not be blank."]})");
    CHECK(answer_to(json(R"({"username":null,"password":"x"})")) ==
          R"({"username":["This field may not be null."]})");
    CHECK(answer_to(form({{"username", ""}, {"password", ""}})) ==
          R"({"username":["This field may not be blank."],)"
          R"("password":["This field may not be blank."]})");
}

TEST_CASE("13 wrong types and what is no object are 400 with a JSON object",
          "[conformance][accounts]") {
    Deployment here;
    for (const std::string_view body : {R"({"username":true,"password":"x"})",
                                        R"({"username":["anna"],"password":"x"})",
                                        R"({"username":{"a":1},"password":"x"})"}) {
        const HttpResponse refused = here.api.ask(post("accounts/", json(body)));
        CHECK(refused.status == 400);
        CHECK(refused.body == R"({"username":["Not a valid string."]})");
    }
    const HttpResponse array = here.api.ask(post("accounts/", json("[1,2]")));
    CHECK(array.status == 400);
    CHECK(array.body ==
          R"({"non_field_errors":["Invalid data. Expected a dictionary, but got list."]})");
    for (const std::string_view body :
         {"{\"username\":", "{'username':'anna'}", "nonsense", "{}}"}) {
        const HttpResponse refused = here.api.ask(post("accounts/", json(body)));
        CHECK(refused.status == 400);
        CHECK(json_string(refused.body, "/detail").starts_with("JSON parse error - "));
    }
}

TEST_CASE("14 what is no e-mail address is refused", "[conformance][accounts]") {
    Deployment here;
    for (const std::string_view email : {"", "anna", "anna@", "@example.org", "a b@example.org"}) {
        INFO(email);
        const HttpResponse refused = here.api.ask(post(
            "accounts/",
            json(R"({"username":"anna","password":"x","email":")" + std::string(email) + R"("})")));
        CHECK(refused.status == 400);
        CHECK(json_shape(refused.body) == "{email:[string]}");
    }
    const std::string long_email = std::string(90, 'a') + "@example.org";
    CHECK(here.api
              .ask(post("accounts/",
                        form({{"username", "anna"}, {"password", "x"}, {"email", long_email}})))
              .status == 400);
    // None of them has made an account.
    CHECK(here.api.ask(post("accounts/", credentials("anna", "another"))).status == 200);
}

TEST_CASE("15 a content type that nobody knows is refused", "[conformance][accounts]") {
    Deployment here;
    for (const char* const type : {"text/xml", "text/plain", "application/octet-stream", "json"}) {
        const HttpResponse refused =
            here.api.ask(post("accounts/", Body{type, R"({"username":"anna","password":"x"})"}));
        CHECK(refused.status == 415);
        CHECK(refused.body == R"({"detail":"Unsupported media type \")" + std::string(type) +
                                  R"(\" in request."})");
    }
}

TEST_CASE("16 a stale Authorization header does not block login", "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    REQUIRE(here.api.ask(del("accounts/anna/").by(anna.auth)).status == 204);
    const Body body = credentials("anna", anna.password);
    const HttpResponse made = here.api.ask(post("accounts/", body).by(anna.auth).as(kAndroid));
    CHECK(made.status == 200);
    CHECK(json_string(made.body, "/id") != anna.id);
    for (const char* const line : {"Authorization: Token",
                                   "Authorization: Token a b",
                                   "Authorization: Token ffffffffffffffffffffffffffffffffffffffff",
                                   "Authorization: Basic YW5uYTp4",
                                   "Authorization: "}) {
        INFO(line);
        const HttpResponse login = here.api.ask(post("accounts/", body).with(line));
        CHECK(login.status == 200);
        CHECK(login.body == made.body);
    }
    // Nor does a good one lend anything to who does not know the password.
    CHECK(here.api
              .ask(post("accounts/", credentials("anna", "wrong"))
                       .by(json_string(made.body, "/token")))
              .status == 401);
}

TEST_CASE("17 racing registrations of one name make one account", "[conformance][accounts]") {
    Deployment here([](GatewayConfig& config) { config.workers = 2; });
    const std::string right = R"({"username":"anna","password":"right"})";
    const std::string wrong = R"({"username":"anna","password":"wrong"})";
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (int i = 0; i < 8; ++i) {
        const std::string& body = i % 4 == 3 ? wrong : right;
        clients.push_back(std::make_unique<HttpClient>(here.gateway->port()));
        clients.back()->send(
            "POST /api/v1/accounts/ HTTP/1.1\r\nHost: push.example.org\r\n"
            "Content-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    std::set<std::string> ids;
    size_t refused = 0;
    for (const auto& client : clients) {
        const auto response = client->receive();
        REQUIRE(response);
        CHECK(broken_rule(post("accounts/"), *response).empty());
        if (response->status == 200) ids.insert(json_string(response->body, "/id"));
        refused += response->status == 401 ? 1 : 0;
    }
    // Whoever came first has the account, those with the other password do not.
    CHECK(ids.size() == 1);
    CHECK((refused == 2 || refused == 6));
}

TEST_CASE("18 an account whose name has dots or slashes can be read and deleted",
          "[conformance][accounts]") {
    Deployment here;
    struct Name {
        std::string username;
        std::string in_path;
    };
    for (const Name& name : {Name{"anna.b.json", "anna.b.json"},
                             Name{"anna/bert", "anna%2Fbert"},
                             Name{"..", "%2E%2E"},
                             Name{"api/v1/tokens", "api%2Fv1%2ftokens"}}) {
        INFO(name.username);
        const Member member = here.api.sign_up(name.username);
        const std::string path = "accounts/" + name.in_path + "/";
        const HttpResponse own = here.api.ask(get(path).by(member.auth));
        CHECK(own.status == 200);
        CHECK(json_string(own.body, "/username") == name.username);
        CHECK(here.api.ask(del(path).by(member.auth)).status == 204);
        CHECK(here.api.ask(get("accounts/").by(member.auth)).status == 401);
    }
}

TEST_CASE("19 the own account can be read, and its auth token is not in it",
          "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string expected = R"({"username":"anna","email":"","id":")" + anna.id + R"("})";
    for (const char* const path : {"accounts/", "accounts", "accounts/anna/", "accounts/anna"}) {
        INFO(path);
        const HttpResponse own = here.api.ask(get(path).by(anna.auth));
        CHECK(own.status == 200);
        CHECK(own.body == expected);
    }
}

TEST_CASE("20 reading as another or as nobody gives nothing away", "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Member bert = here.api.sign_up("bert");
    const HttpResponse foreign = here.api.ask(get("accounts/anna/").by(bert.auth));
    CHECK(foreign.status == 404);
    CHECK(foreign.body == kNotFound);
    for (const char* const path : {"accounts/anna/", "accounts/"}) {
        const HttpResponse anonymous = here.api.ask(get(path));
        CHECK(anonymous.status == 401);
        CHECK(anonymous.body == R"({"detail":"Authentication credentials were not provided."})");
    }
}

TEST_CASE("21 who exists cannot be told from who does not", "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Member bert = here.api.sign_up("bert");
    for (const auto& make : {&get, &del}) {
        const HttpResponse known = here.api.ask(make("accounts/anna/"));
        const HttpResponse unknown = here.api.ask(make("accounts/nemo/"));
        CHECK(known.status == 401);
        CHECK(known.status == unknown.status);
        CHECK(known.body == unknown.body);
        CHECK(known.fields == unknown.fields);
        // Nor with the credentials of a third.
        const HttpResponse known_to_bert = here.api.ask(make("accounts/anna/").by(bert.auth));
        const HttpResponse unknown_to_bert = here.api.ask(make("accounts/nemo/").by(bert.auth));
        CHECK(known_to_bert.status == 404);
        CHECK(known_to_bert.status == unknown_to_bert.status);
        CHECK(known_to_bert.body == unknown_to_bert.body);
        CHECK(known_to_bert.fields == unknown_to_bert.fields);
    }
    // Nor by an e-mail address that is taken, in whatever spelling.
    for (const char* const name : {"carl", "dora"}) {
        const std::string email = name[0] == 'c' ? "x@example.org" : "x@Example.ORG";
        CHECK(here.api
                  .ask(post("accounts/",
                            form({{"username", name}, {"password", "x"}, {"email", email}})))
                  .status == 200);
    }
}

TEST_CASE("22 reading or deleting a foreign account is no success", "[conformance][accounts]") {
    Deployment here;
    here.api.sign_up("anna");
    const Member bert = here.api.sign_up("bert");
    CHECK(here.api.ask(get("accounts/anna/").by(bert.auth)).status == 404);
    CHECK(here.api.ask(del("accounts/anna/").by(bert.auth)).status == 404);
    CHECK(here.api.ask(del("accounts/anna/")).status == 401);
    CHECK(here.api.ask(del("accounts/anna/").by(std::string(40, '0'))).status == 401);
}

TEST_CASE("23 a foreign or anonymous DELETE deletes nothing", "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    const Member bert = here.api.sign_up("bert");
    for (const Request& request : {del("accounts/anna/").by(bert.auth),
                                   del("accounts/anna/"),
                                   del("accounts/anna/").by(std::string(40, '0')),
                                   del("accounts/anna/").with("Authorization: Basic YW5uYTp4")}) {
        CHECK(here.api.ask(request).status >= 400);
    }
    CHECK(here.api.ask(get("accounts/anna/").by(anna.auth)).status == 200);
    CHECK(here.api.ask(get("accounts/bert/").by(bert.auth)).status == 200);
    CHECK(here.api.ask(get("device/apns/" + phone.device + "/").by(anna.auth)).status == 200);
    CHECK(here.api.knock(phone.token) == 202);
}

TEST_CASE("8.1 names that are only alike are different accounts", "[conformance][accounts]") {
    Deployment here;
    // One character that Unicode calls compatible with "fi"; the reference fails with 500 on it.
    const Member ligature = here.api.sign_up("\xef\xac\x81");
    const Member plain = here.api.sign_up("fi");
    CHECK(ligature.auth != plain.auth);
    CHECK(here.api.sign_up("\xef\xac\x81").auth == ligature.auth);
    CHECK(here.api.sign_up("fi").auth == plain.auth);
}

TEST_CASE("24 a username in a path is percent-decoded", "[conformance][accounts]") {
    Deployment here;
    struct Name {
        std::string username;
        std::string in_path;
    };
    for (const Name& name : {Name{"anna@b", "anna%40b"},
                             Name{"anna b+c", "anna%20b+c"},
                             Name{"100%", "100%25"},
                             Name{"gr\xc3\xbc\xc3\x9f", "gr%C3%BC%c3%9f"}}) {
        INFO(name.username);
        const Member member = here.api.sign_up(name.username);
        const HttpResponse own =
            here.api.ask(get("accounts/" + name.in_path + "/").by(member.auth));
        CHECK(own.status == 200);
        CHECK(json_string(own.body, "/username") == name.username);
    }
}

TEST_CASE("25 deleting the own account ends its token, devices and whitelist tokens",
          "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    const std::string gcm = here.api.add_device(anna.auth, "gcm-registration", "gcm");
    const std::string gcm_token = here.api.make_token(anna.auth, gcm, "gcm");
    const Member bert = here.api.sign_up("bert");
    const Phone berts = here.api.add_phone(bert, 2);

    const HttpResponse gone = here.api.ask(del("accounts/anna/").by(anna.auth).as(kIos));
    CHECK(gone.status == 204);
    CHECK(gone.body.empty());
    for (const std::string& path : {std::string("accounts/"),
                                    std::string("device/apns/"),
                                    "device/apns/" + phone.device + "/",
                                    std::string("tokens/")}) {
        const HttpResponse refused = here.api.ask(get(path).by(anna.auth));
        CHECK(refused.status == 401);
        CHECK(refused.body == R"({"detail":"Invalid token."})");
    }
    CHECK(here.api.knock(phone.token) == 404);
    CHECK(here.api.knock(gcm_token) == 404);
    CHECK(here.apns.count("/requests") == 0);
    CHECK(here.api.ask(del("accounts/anna/").by(anna.auth)).status == 401);
    // Only hers.
    CHECK(here.api.knock(berts.token) == 202);
    CHECK(here.api.ask(get("accounts/").by(bert.auth)).status == 200);
}

TEST_CASE("26 the name of a deleted account is free for a new one", "[conformance][accounts]") {
    Deployment here;
    const Member before = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(before, 1);
    REQUIRE(here.api.ask(del("accounts/anna").by(before.auth)).status == 204);
    const HttpResponse made = here.api.ask(post("accounts/", credentials("anna", "another")));
    CHECK(made.status == 200);
    CHECK(json_string(made.body, "/id") != before.id);
    const std::string auth = json_string(made.body, "/token");
    CHECK(auth != before.auth);
    // It has nothing of what was there.
    CHECK(json_number(here.api.ask(get("device/apns/").by(auth)).body, "/count") == 0);
    CHECK(json_number(here.api.ask(get("tokens/").by(auth)).body, "/count") == 0);
    CHECK(here.api.knock(phone.token) == 404);
    CHECK(here.api.ask(post("accounts/", credentials("anna", before.password))).status == 401);
}

TEST_CASE("2.3 accounts take no other methods", "[conformance][accounts]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Body body = credentials("anna", anna.password);
    for (const Request& request : {put("accounts/anna/", body),
                                   patch("accounts/anna/", body),
                                   post("accounts/anna/", body),
                                   put("accounts/", body),
                                   patch("accounts/", body),
                                   del("accounts/")}) {
        INFO(request.method << " " << request.path);
        const HttpResponse refused = here.api.ask(request.by(anna.auth));
        CHECK(refused.status == 405);
        CHECK(refused.body == R"({"detail":"Method \")" + request.method + R"(\" not allowed."})");
    }
    CHECK(here.api.ask(get("accounts/").by(anna.auth)).status == 200);
}

TEST_CASE("2.2 fields that nobody may set are ignored", "[conformance][accounts]") {
    Deployment here;
    const HttpResponse made = here.api.ask(post(
        "accounts/",
        json(R"({"username":"nobody","username":"anna","password":"x","is_staff":true,)"
             R"("id":"638426e6-832f-4a45-ae9a-db409ba2fb4d","token":"0","is_active":false})")));
    CHECK(made.status == 200);
    CHECK(json_shape(made.body) == kAccountShape);
    CHECK(json_string(made.body, "/username") == "anna");
    CHECK(json_string(made.body, "/id") != "638426e6-832f-4a45-ae9a-db409ba2fb4d");
    CHECK(is_auth_token(json_string(made.body, "/token")));
}

}  // namespace knuckle::test
