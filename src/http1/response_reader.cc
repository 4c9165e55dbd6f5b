// SPDX-License-Identifier: GPL-3.0-or-later
#include "http1/response_reader.h"

#include <algorithm>
#include <string_view>

#include <llhttp.h>

#include "base/assert.h"

namespace knuckle::http1 {

namespace {

const llhttp_settings_t& settings() {
    static constexpr llhttp_settings_t kSettings = [] {
        llhttp_settings_t callbacks{};
        callbacks.on_headers_complete = [](llhttp_t*) -> int { return HPE_PAUSED; };
        return callbacks;
    }();
    return kSettings;
}

}  // namespace

struct ResponseReader::State {
    Step next(ByteView input);
    Step read_head(std::string_view& text);
    void reset();

    llhttp_t machine;
    size_t size = 0;  // of what was read
    Step step = Step::need_more;
};

void ResponseReader::State::reset() {
    llhttp_init(&machine, HTTP_RESPONSE, &settings());
    size = 0;
    step = Step::need_more;
}

ResponseReader::Step ResponseReader::State::next(ByteView input) {
    std::string_view text = as_text(input);
    while (step == Step::need_more && !text.empty()) step = read_head(text);
    return step;
}

// Takes from the front of `text` what belongs to one head.
ResponseReader::Step ResponseReader::State::read_head(std::string_view& text) {
    const std::string_view piece = text.substr(0, kResponseHeadMax - size);
    const llhttp_errno_t code = llhttp_execute(&machine, piece.data(), piece.size());
    size_t taken = piece.size();
    if (code != HPE_OK) {
        const char* const at = llhttp_get_error_pos(&machine);
        if (at != nullptr) taken = std::min(taken, static_cast<size_t>(at - piece.data()));
    }
    text.remove_prefix(taken);
    size += taken;
    if (code == HPE_OK) return size < kResponseHeadMax ? Step::need_more : Step::error;
    // llhttp knows more versions than there are.
    if (code != HPE_PAUSED || llhttp_get_http_major(&machine) != 1) return Step::error;
    const int status = llhttp_get_status_code(&machine);
    if (status < 100 || status > 599) return Step::error;
    if (status >= 200 || status == 101) return Step::status;
    llhttp_resume(&machine);
    return Step::need_more;
}

ResponseReader::ResponseReader() : state_(std::make_unique<State>()) { reset(); }
ResponseReader::~ResponseReader() = default;

ResponseReader::Step ResponseReader::next(ByteView input) { return state_->next(input); }

uint16_t ResponseReader::status() const {
    KNUCKLE_ASSERT(state_->step == Step::status);
    return static_cast<uint16_t>(llhttp_get_status_code(&state_->machine));
}

void ResponseReader::reset() { state_->reset(); }

}  // namespace knuckle::http1
