// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/rest.h"

#include <optional>
#include <utility>

#include "api/authorization.h"
#include "api/body.h"
#include "api/media_type.h"
#include "api/options.h"
#include "api/percent.h"
#include "api/refusals.h"
#include "api/route.h"
#include "api/scratch.h"
#include "api/validate.h"
#include "base/text.h"

namespace knuckle::api {

namespace {

using http1::Method;

// The fields of a request's head that matter here, found in one pass.
struct Head {
    std::string_view host;
    std::string_view content_type;
    std::string_view authorization;
    Acceptance acceptance;
};

Head read_head(const http1::Request& request) {
    Head head;
    for (const http1::Field& field : request.fields) {
        if (equal_ignoring_case(field.name, "host")) {
            if (head.host.empty()) head.host = field.value;
        } else if (equal_ignoring_case(field.name, "content-type")) {
            if (head.content_type.empty()) head.content_type = field.value;
        } else if (equal_ignoring_case(field.name, "authorization")) {
            if (head.authorization.empty()) head.authorization = field.value;
        } else if (equal_ignoring_case(field.name, "accept")) {
            head.acceptance.add(field.value);
        }
    }
    return head;
}

// "?format=json" is the only format there is, and the one of a query that names none.
bool asks_for_json(std::string_view query) {
    std::string_view format;
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(pair.size() < query.size() ? pair.size() + 1 : pair.size());
        if (pair.starts_with("format=")) format = pair.substr(7);
    }
    return format.empty() || format == "json";
}

// Where Authorization is not looked at: apps send it for ever, also after their account is gone.
bool ignores_authorization(Endpoint endpoint, Method method) {
    switch (endpoint) {
        case Endpoint::messages:
            return true;
        case Endpoint::root:
        case Endpoint::accounts:
            return method == Method::post;
        case Endpoint::pubsub:
            return method == Method::get;
        default:
            return false;
    }
}

// What nobody may do, or learn to be impossible, without credentials. Reading one device or token
// is not among it: to a stranger there is none, as in the reference.
bool needs_auth(Endpoint endpoint, Method method) {
    if (method == Method::options) return false;
    switch (endpoint) {
        case Endpoint::messages:
            return false;
        case Endpoint::root:
            return method != Method::get && method != Method::post;
        case Endpoint::accounts:
            return method == Method::get;
        case Endpoint::account:
            return method == Method::get || method == Method::del;
        case Endpoint::device:
        case Endpoint::token:
        case Endpoint::pubsub:
            return method != Method::get;
        case Endpoint::devices:
        case Endpoint::tokens:
            return true;
    }
    return true;
}

bool is_allowed(const http1::Request& request, std::string_view allow) {
    return request.method != Method::other &&
           allow.find(request.method_name) != std::string_view::npos;
}

// Could there be an account or a token of that name? Each has a limit in the store.
bool is_name(std::string_view text, size_t max) {
    return text.size() <= max && is_valid_utf8(text) && text.find('\0') == std::string_view::npos;
}

}  // namespace

struct Decoder::State {
    explicit State(const Routes& all_routes) : routes(&all_routes) {}

    // A request whose path and method are of the API.
    struct Task {
        const http1::Request& request;
        std::string_view content_type;
        Route route;
        Method method;
    };

    Command decode(const http1::Request& request, Call& call);
    Command decode_task(const Task& task);
    Command decode_knock(const Task& task);
    Command decode_log_in(const Task& task);
    Command decode_account(const Task& task);
    Command decode_device(const Task& task);
    Command decode_device_body(const Task& task, Uuid id);
    Command decode_token(const Task& task);
    Command decode_token_body(const Task& task, std::string_view text);

    // The reply to refuse with if the body cannot be read.
    std::optional<Reply> read_body(const Task& task, Fields& fields) {
        errors.clear();
        return body_reader.read(task.content_type, task.request.body, fields, scratch);
    }

    const Routes* routes;
    BodyReader body_reader;
    Scratch scratch;
    FieldErrors errors;
};

Decoder::Decoder(const Routes& routes) : state_(std::make_unique<State>(routes)) {}
Decoder::~Decoder() = default;

void Decoder::decode(const http1::Request& request, Call& call) {
    call.app = 0;
    call.auth_token = {};
    call.needs_auth = false;
    call.allow = {};
    call.command = state_->decode(request, call);
}

// The order of the checks is the reference's.
Command Decoder::State::decode(const http1::Request& request, Call& call) {
    // The path's item is decoded once, each byte of the body at most once by its format and once by
    // its field.
    scratch.reset(request.path.size() + 2 * request.body.size() + kScratchOfFields);
    const Head head = read_head(request);
    const std::optional<Route> route = find_route(request.path, head.host, *routes);
    if (!route) return Refuse{unknown_path()};
    call.app = route->app;
    call.allow = allow_of(route->endpoint);
    if (!asks_for_json(request.query)) return Refuse{not_found()};
    if (!head.acceptance.allows_json()) return Refuse{not_acceptable()};

    // HEAD is a GET whose body the HTTP layer leaves out.
    const Method method = request.method == Method::head ? Method::get : request.method;
    if (!ignores_authorization(route->endpoint, method)) {
        if (auto malformed_header = read_authorization(head.authorization, call.auth_token)) {
            return Refuse{std::move(*malformed_header)};
        }
        call.needs_auth = needs_auth(route->endpoint, method);
    }
    const bool is_anonymous = call.auth_token.empty();
    if (!is_allowed(request, call.allow)) return Refuse{method_not_allowed(request.method_name)};
    if (method == Method::options) {
        return Refuse{
            describe(route->endpoint, is_anonymous ? Audience::anyone : Audience::account)};
    }
    const bool is_of_owner =
        route->endpoint == Endpoint::device || route->endpoint == Endpoint::token;
    if (is_of_owner && is_anonymous && method == Method::get) return Refuse{not_found()};
    return decode_task({request, head.content_type, *route, method});
}

Command Decoder::State::decode_task(const Task& task) {
    const bool is_get = task.method == Method::get;
    switch (task.route.endpoint) {
        case Endpoint::root:
            return is_get ? Command(GetRoot{}) : decode_knock(task);
        case Endpoint::messages:
            return decode_knock(task);
        case Endpoint::pubsub:
            return GetPubsub{};
        case Endpoint::accounts:
            return is_get ? Command(GetAccount{}) : decode_log_in(task);
        case Endpoint::account:
            return decode_account(task);
        case Endpoint::devices:
            return is_get ? Command(ListDevices{task.route.kind}) : decode_device_body(task, {});
        case Endpoint::device:
            return decode_device(task);
        case Endpoint::tokens:
            return is_get ? Command(ListTokens{}) : decode_token_body(task, {});
        case Endpoint::token:
            return decode_token(task);
    }
    return Refuse{not_found()};
}

Command Decoder::State::decode_knock(const Task& task) {
    Fields fields(kKnockFields);
    if (auto unreadable = read_body(task, fields)) return Refuse{std::move(*unreadable)};
    const Knock knock = validate_knock(fields, errors);
    return errors.is_empty() ? Command(knock) : Refuse{errors.reply()};
}

Command Decoder::State::decode_log_in(const Task& task) {
    Fields fields(kLogInFields);
    if (auto unreadable = read_body(task, fields)) return Refuse{std::move(*unreadable)};
    const LogIn log_in = validate_log_in(fields, scratch, errors);
    return errors.is_empty() ? Command(log_in) : Refuse{errors.reply()};
}

Command Decoder::State::decode_account(const Task& task) {
    const std::string_view username = percent_decode(task.route.item, PlusSign::literal, scratch);
    if (!is_name(username, store::kNameMax)) return Refuse{not_found()};
    return task.method == Method::get ? Command(GetAccount{username}) : DeleteAccount{username};
}

Command Decoder::State::decode_device(const Task& task) {
    const auto id = Uuid::parse(percent_decode(task.route.item, PlusSign::literal, scratch));
    if (!id) return Refuse{not_found()};
    switch (task.method) {
        case Method::get:
            return GetDevice{task.route.kind, *id};
        case Method::del:
            return DeleteDevice{task.route.kind, *id};
        default:
            return decode_device_body(task, *id);
    }
}

Command Decoder::State::decode_device_body(const Task& task, Uuid id) {
    Fields fields(kDeviceFields);
    if (auto unreadable = read_body(task, fields)) return Refuse{std::move(*unreadable)};
    const Extent extent = task.method == Method::patch ? Extent::part : Extent::whole;
    const DeviceFields device = validate_device(fields, task.route.kind, extent, scratch, errors);
    if (!errors.is_empty()) return Refuse{errors.reply()};
    if (task.method == Method::post) return CreateDevice{task.route.kind, device};
    return UpdateDevice{task.route.kind, id, device};
}

Command Decoder::State::decode_token(const Task& task) {
    const std::string_view text = percent_decode(task.route.item, PlusSign::literal, scratch);
    if (!is_name(text, store::kTokenTextMax)) return Refuse{not_found()};
    switch (task.method) {
        case Method::get:
            return GetToken{text};
        case Method::del:
            return DeleteToken{text};
        default:
            return decode_token_body(task, text);
    }
}

Command Decoder::State::decode_token_body(const Task& task, std::string_view text) {
    Fields fields(kTokenFields);
    if (auto unreadable = read_body(task, fields)) return Refuse{std::move(*unreadable)};
    const Extent extent = task.method == Method::patch ? Extent::part : Extent::whole;
    const TokenFields token = validate_token(fields, extent, errors);
    if (!errors.is_empty()) return Refuse{errors.reply()};
    if (task.method == Method::post) return CreateToken{token};
    return UpdateToken{text, token};
}

}  // namespace knuckle::api
