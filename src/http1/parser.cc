// SPDX-License-Identifier: GPL-3.0-or-later
#include "http1/parser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include <llhttp.h>

#include "base/assert.h"
#include "http1/failure.h"
#include "http1/head.h"

namespace knuckle::http1 {

namespace {

// One more than allowed: the field too many needs a place until its name has ended.
using Fields = std::array<Field, kFieldsMax + 1>;

// The field arrays travel from request to request of a thread: an idle parser has none, and a busy
// one gets it without an allocation. As a member (2 KiB) it would be nine tenths of an idle parser.
class SpareFields {
public:
    std::unique_ptr<Fields> take() {
        if (count_ == 0) return std::make_unique<Fields>();
        return std::move(kept_[--count_]);
    }
    void give_back(std::unique_ptr<Fields> fields) {
        if (count_ < kKeptMax) kept_[count_++] = std::move(fields);
    }

private:
    static constexpr size_t kKeptMax = 64;

    std::array<std::unique_ptr<Fields>, kKeptMax> kept_;
    size_t count_ = 0;
};

thread_local SpareFields spare_fields;

constexpr size_t kStorageMin = 1024;
constexpr size_t kStorageMax = kHeadMax + kBodyMax;

constexpr ParseError kTargetTooLong{414, "The request target must not exceed 2 KiB."};
constexpr ParseError kHeadTooLarge{431, "The request line and fields must not exceed 8 KiB."};
constexpr ParseError kTooManyFields{431, "A request must not have more than 64 fields."};
constexpr ParseError kBodyTooLarge{413, "The request body must not exceed 64 KiB."};
constexpr ParseError kTooMuchChunking{
    400, "Chunk sizes, extensions and trailers must not exceed 4 KiB."};

enum class Phase : uint8_t {
    between,  // no byte of a request yet
    head,
    body,  // Content-Length says how long
    chunks,
    complete,  // next() has returned the request, finish() is due
    closed,    // the request before was the last one
    dead,
};

// The target so far of a head that may be incomplete: a function of the bytes alone, so that the
// limit strikes at the same byte however they arrive.
size_t target_size(std::string_view head) {
    const size_t begin = std::min(head.find(' '), head.size());
    const size_t end = std::min(head.find_first_of(" \r\n", begin + 1), head.size());
    return end > begin ? end - begin - 1 : 0;
}

// llhttp reports a name or a value in parts when it arrives in parts. A head always lies in memory
// in one piece, so the next part follows the one before.
void extend(std::string_view& text, const char* at, size_t size) {
    text = text.data() == nullptr ? std::string_view(at, size)
                                  : std::string_view(text.data(), text.size() + size);
}

}  // namespace

// The bytes of a request lie either in the caller's input or, from the first time that an input
// ends within the request, in `storage`: the head first, then the body without chunking, then the
// padding. Every view of the request points there.
struct Parser::State {
    State() {
        llhttp_init(&machine, HTTP_REQUEST, &settings());
        machine.data = this;
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    // The callbacks of llhttp, which note what came.
    static const llhttp_settings_t& settings();
    static State& of(llhttp_t* llhttp) { return *static_cast<State*>(llhttp->data); }
    static int pause(llhttp_t*) { return HPE_PAUSED; }
    static int on_target(llhttp_t* llhttp, const char* at, size_t size);
    static int on_field_name(llhttp_t* llhttp, const char* at, size_t size);
    static int on_field_name_complete(llhttp_t* llhttp);
    static int on_field_value(llhttp_t* llhttp, const char* at, size_t size);
    static int on_chunk_header(llhttp_t* llhttp);
    static int on_body(llhttp_t* llhttp, const char* at, size_t size);

    Step next(ByteView& input);
    Step begin(ByteView& input);
    Step read_head(ByteView& input);
    Step begin_body(ByteView& input);
    Step read_body(ByteView& input);
    Step read_chunks(ByteView& input);
    Step complete();
    Step fail(ParseError why);
    void finish();

    llhttp_errno_t run(ByteView bytes, size_t& taken);
    void add_to_body(ByteView bytes);
    [[nodiscard]] size_t size() const { return head_size + request.body.size(); }
    uint8_t* reserve(size_t more);
    void move_to(std::unique_ptr<uint8_t[]> room);
    void release();

    llhttp_t machine;
    Request request;  // `path` is the whole target until the head is complete
    std::unique_ptr<Fields> fields;
    std::unique_ptr<uint8_t[]> storage;
    const uint8_t* head = nullptr;  // where the request begins
    uint32_t storage_size = 0;      // without the padding
    uint32_t head_size = 0;
    uint32_t body_left = 0;    // of Content-Length
    uint32_t chunks_size = 0;  // everything behind the head
    ParseError error;
    uint8_t field_count = 0;
    uint8_t empty_line_size = 0;  // of CR LF in front of the request
    Phase phase = Phase::between;
    bool in_field_name = false;
};

const llhttp_settings_t& Parser::State::settings() {
    static constexpr llhttp_settings_t kSettings = [] {
        llhttp_settings_t callbacks{};
        callbacks.on_url = on_target;
        callbacks.on_header_field = on_field_name;
        callbacks.on_header_field_complete = on_field_name_complete;
        callbacks.on_header_value = on_field_value;
        callbacks.on_headers_complete = pause;
        callbacks.on_chunk_header = on_chunk_header;
        callbacks.on_body = on_body;
        callbacks.on_message_complete = pause;
        return callbacks;
    }();
    return kSettings;
}

int Parser::State::on_target(llhttp_t* llhttp, const char* at, size_t size) {
    extend(of(llhttp).request.path, at, size);
    return HPE_OK;
}

int Parser::State::on_field_name(llhttp_t* llhttp, const char* at, size_t size) {
    State& state = of(llhttp);
    if (state.phase != Phase::head) return HPE_OK;  // a trailer
    if (!state.in_field_name) {
        state.in_field_name = true;
        (*state.fields)[state.field_count++] = Field{};
    }
    extend((*state.fields)[state.field_count - 1u].name, at, size);
    return HPE_OK;
}

int Parser::State::on_field_name_complete(llhttp_t* llhttp) {
    State& state = of(llhttp);
    state.in_field_name = false;
    if (state.field_count <= kFieldsMax) return HPE_OK;
    state.error = kTooManyFields;
    return HPE_USER;
}

int Parser::State::on_field_value(llhttp_t* llhttp, const char* at, size_t size) {
    State& state = of(llhttp);
    if (state.phase == Phase::head) extend((*state.fields)[state.field_count - 1u].value, at, size);
    return HPE_OK;
}

int Parser::State::on_chunk_header(llhttp_t* llhttp) {
    State& state = of(llhttp);
    if (llhttp->content_length <= kBodyMax - state.request.body.size()) return HPE_OK;
    state.error = kBodyTooLarge;
    return HPE_USER;
}

int Parser::State::on_body(llhttp_t* llhttp, const char* at, size_t size) {
    of(llhttp).add_to_body(as_bytes({at, size}));
    return HPE_OK;
}

Step Parser::State::next(ByteView& input) {
    KNUCKLE_ASSERT(phase != Phase::complete);
    switch (phase) {
        case Phase::between:
            return begin(input);
        case Phase::head:
            return read_head(input);
        case Phase::body:
            return read_body(input);
        case Phase::chunks:
            return read_chunks(input);
        case Phase::dead:
            return Step::error;
        case Phase::closed:
        case Phase::complete:
            break;
    }
    input = input.last(0);
    return Step::need_more;
}

// One empty line in front of a request is ignored (RFC 9112 section 2.2). llhttp would ignore any
// number, and bare LF and CR with them.
Step Parser::State::begin(ByteView& input) {
    constexpr std::string_view kEmptyLine = "\r\n";
    while (!input.empty() && empty_line_size < kEmptyLine.size() &&
           input.front() == static_cast<uint8_t>(kEmptyLine[empty_line_size])) {
        ++empty_line_size;
        input = input.subspan(1);
    }
    if (input.empty()) return Step::need_more;
    if (empty_line_size == 1 || input.front() == '\r' || input.front() == '\n')
        return fail(kNoRequestLine);
    phase = Phase::head;
    fields = spare_fields.take();
    return read_head(input);
}

// llhttp gets at most kHeadMax bytes before it has seen the head's end, so that the limit is exact.
Step Parser::State::read_head(ByteView& input) {
    const ByteView fresh = input.first(std::min(input.size(), kHeadMax - head_size));
    if (head_size == 0) {
        head = input.data();
    } else {
        copy_bytes(reserve(fresh.size()), fresh);
    }
    size_t taken = 0;
    const llhttp_errno_t code = run({head + head_size, fresh.size()}, taken);
    head_size += static_cast<uint32_t>(taken);
    input = input.subspan(taken);
    if (code == HPE_PAUSED) return begin_body(input);

    const std::string_view text = as_text({head, head_size});
    if (target_size(text) > kTargetMax) return fail(kTargetTooLong);
    if (code == HPE_CB_HEADER_FIELD_COMPLETE) return fail(error);
    if (code != HPE_OK)
        return fail(describe(code, as_text({head, head_size + (taken < fresh.size() ? 1u : 0u)})));
    if (head_size == kHeadMax) return fail(kHeadTooLarge);
    reserve(0);
    return Step::need_more;
}

// The head is complete and llhttp paused behind it. A body of known length is taken without llhttp,
// which has nothing to add and would follow an Upgrade; so no request ever leaves HTTP/1.1.
Step Parser::State::begin_body(ByteView& input) {
    if (request.path.size() > kTargetMax) return fail(kTargetTooLong);
    Framing framing;
    if (const auto wrong = check_head(
            as_text({head, head_size}), {fields->data(), field_count}, request, framing)) {
        return fail(*wrong);
    }
    // Two readings of one head would be request smuggling.
    if (framing.is_chunked != ((machine.flags & F_CHUNKED) != 0))
        return fail(describe(HPE_INVALID_TRANSFER_ENCODING, {}));

    // An HTTP/1.0 client that asks to keep the connection waits for a "Connection: keep-alive" that
    // our responses do not carry, and would take the end of the connection for the end of the
    // response.
    request.keep_alive = framing.is_http11 && llhttp_should_keep_alive(&machine) != 0;
    request.body = {head + head_size, 0};
    body_left = static_cast<uint32_t>(framing.content_length);
    phase = framing.is_chunked ? Phase::chunks : Phase::body;
    if (framing.is_chunked) llhttp_resume(&machine);
    if (framing.awaits_continue && input.empty()) {
        reserve(0);
        return Step::send_continue;
    }
    return framing.is_chunked ? read_chunks(input) : read_body(input);
}

Step Parser::State::read_body(ByteView& input) {
    const size_t taken = std::min<size_t>(body_left, input.size());
    if (taken > 0) add_to_body(input.first(taken));
    input = input.subspan(taken);
    body_left -= static_cast<uint32_t>(taken);
    if (body_left == 0) return complete();
    reserve(0);
    return Step::need_more;
}

Step Parser::State::read_chunks(ByteView& input) {
    size_t taken = 0;
    const llhttp_errno_t code = run(input, taken);
    input = input.subspan(taken);
    chunks_size += static_cast<uint32_t>(taken);
    if (chunks_size - request.body.size() > kChunkOverheadMax) return fail(kTooMuchChunking);
    if (code == HPE_PAUSED) return complete();
    if (code == HPE_CB_CHUNK_HEADER) return fail(error);
    if (code != HPE_OK) return fail(describe(code, {}));
    reserve(0);
    return Step::need_more;
}

Step Parser::State::complete() {
    request.fields = {fields->data(), field_count};
    if (storage) std::memset(storage.get() + size(), 0, Request::kBodyPadding);
    phase = Phase::complete;
    return Step::request;
}

Step Parser::State::fail(ParseError why) {
    release();
    error = why;
    phase = Phase::dead;
    return Step::error;
}

void Parser::State::finish() {
    KNUCKLE_ASSERT(phase == Phase::complete);
    phase = request.keep_alive ? Phase::between : Phase::closed;
    release();
    llhttp_reset(&machine);
}

llhttp_errno_t Parser::State::run(ByteView bytes, size_t& taken) {
    const std::string_view text = as_text(bytes);
    const llhttp_errno_t code = llhttp_execute(&machine, text.data(), text.size());
    taken = text.size();
    if (code != HPE_OK) {
        taken = std::min(taken, static_cast<size_t>(llhttp_get_error_pos(&machine) - text.data()));
    }
    return code;
}

void Parser::State::add_to_body(ByteView bytes) {
    if (!storage && request.body.empty()) {
        request.body = bytes;
        return;
    }
    copy_bytes(reserve(bytes.size()), bytes);
    request.body = {storage.get() + head_size, request.body.size() + bytes.size()};
}

// Room for `more` bytes behind what there is of the request, all of it in storage afterwards. It
// grows with what has arrived, not with what Content-Length promises: promises are free.
uint8_t* Parser::State::reserve(size_t more) {
    const size_t needed = size() + more;
    if (needed > storage_size) {
        const size_t grown = std::max({needed, size_t{storage_size} * 2, kStorageMin});
        storage_size = static_cast<uint32_t>(std::min(grown, kStorageMax));
        move_to(std::make_unique_for_overwrite<uint8_t[]>(storage_size + Request::kBodyPadding));
    }
    return storage.get() + size();
}

void Parser::State::move_to(std::unique_ptr<uint8_t[]> room) {
    copy_bytes(room.get(), {head, head_size});
    copy_bytes(room.get() + head_size, request.body);
    const auto move = [&](std::string_view& text) {
        if (text.data() == nullptr) return;
        const auto offset = static_cast<size_t>(as_bytes(text).data() - head);
        text = as_text({room.get() + offset, text.size()});
    };
    for (Field& field : std::span(*fields).first(field_count)) {
        move(field.name);
        move(field.value);
    }
    move(request.method_name);
    move(request.path);
    move(request.query);
    request.body = {room.get() + head_size, request.body.size()};
    head = room.get();
    storage = std::move(room);
}

void Parser::State::release() {
    request = {};
    storage.reset();
    if (fields) spare_fields.give_back(std::move(fields));
    head = nullptr;
    storage_size = head_size = body_left = chunks_size = 0;
    field_count = empty_line_size = 0;
    in_field_name = false;
}

Parser::Parser() : state_(std::make_unique<State>()) { static_assert(sizeof(State) <= 256); }

Parser::~Parser() = default;

Step Parser::next(ByteView& input) { return state_->next(input); }

void Parser::finish() { state_->finish(); }

const Request& Parser::request() const {
    KNUCKLE_ASSERT(state_->phase == Phase::complete);
    return state_->request;
}

ParseError Parser::error() const {
    KNUCKLE_ASSERT(state_->phase == Phase::dead);
    return state_->error;
}

bool Parser::is_in_request() const {
    const Phase phase = state_->phase;
    return phase == Phase::head || phase == Phase::body || phase == Phase::chunks;
}

}  // namespace knuckle::http1
