// SPDX-License-Identifier: GPL-3.0-or-later
#include "http1/failure.h"

#include "http1/head.h"

namespace knuckle::http1 {

ParseError describe(llhttp_errno_t code, std::string_view head) {
    switch (code) {
        case HPE_INVALID_METHOD:
            if (!is_token(head.substr(0, head.find(' ')))) return kNoRequestLine;
            return {501, "The method is not implemented."};
        case HPE_INVALID_VERSION:
            // llhttp says the same of an unknown version and of a bad end of the request line.
            if (head.find(" HTTP/1.1") != std::string_view::npos ||
                head.find(" HTTP/1.0") != std::string_view::npos) {
                return {400, "The request line must end with CR LF behind the version."};
            }
            [[fallthrough]];
        case HPE_PAUSED_H2_UPGRADE:
            return kUnsupportedVersion;
        case HPE_INVALID_CONSTANT:
            return kBadRequestLine;
        case HPE_INVALID_URL:
            return {400,
                    "The request target must be a path of printable ASCII that begins with '/'."};
        case HPE_INVALID_HEADER_TOKEN:
        case HPE_UNEXPECTED_SPACE:
            return {400,
                    "A field must be a name, a colon and a value on one line, without control "
                    "characters."};
        case HPE_INVALID_CONTENT_LENGTH:
        case HPE_UNEXPECTED_CONTENT_LENGTH:
            return {
                400,
                "Content-Length must be one decimal number, once, and without Transfer-Encoding."};
        case HPE_INVALID_TRANSFER_ENCODING:
            return {400,
                    "Transfer-Encoding must be \"chunked\" and nothing else, and without "
                    "Content-Length."};
        case HPE_INVALID_CHUNK_SIZE:
            return {400, "A chunk must begin with its size in hexadecimal digits."};
        case HPE_CR_EXPECTED:
        case HPE_LF_EXPECTED:
            return {400, "Every line must end with CR LF."};
        default:
            return {400, "The request is not valid HTTP/1.1."};
    }
}

}  // namespace knuckle::http1
