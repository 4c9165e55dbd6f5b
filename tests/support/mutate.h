// SPDX-License-Identifier: GPL-3.0-or-later
// Inputs that are nearly right, for the checks of the fuzz targets that run in every build.
//
//     std::string input = mutant_of(corpus, 600, kScraps, random);
//
// It begins as one of the corpus, cut to `size_max`, and has one to four small changes of the kind
// that parsers disagree about: something put in (one of `scraps`, if there are any), taken out,
// replaced, flipped, doubled, or the end of another of the corpus. The same in every run.
#pragma once

#include <span>
#include <string>

#include "base/random.h"

namespace knuckle::test {

inline void mutate(std::string& text,
                   std::span<const std::string> corpus,
                   std::span<const std::string> scraps,
                   Random& random) {
    const size_t at = random.below(text.size() + 1);
    const auto octet = static_cast<char>(random.below(256));
    switch (random.below(6)) {
        case 0:
            text.insert(
                at, scraps.empty() ? std::string(1, octet) : scraps[random.below(scraps.size())]);
            break;
        case 1:
            text.erase(at, 1 + random.below(8));
            break;
        case 2:
            if (at < text.size()) text[at] = octet;
            break;
        case 3:
            if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
            break;
        case 4: {
            const std::string& other = corpus[random.below(corpus.size())];
            text.replace(at, std::string::npos, other, random.below(other.size() + 1));
            break;
        }
        default:
            text.insert(at, text.substr(random.below(text.size() + 1), random.below(40)));
            break;
    }
}

inline std::string mutant_of(std::span<const std::string> corpus,
                             size_t size_max,
                             std::span<const std::string> scraps,
                             Random& random) {
    std::string input = corpus[random.below(corpus.size())].substr(0, size_max);
    for (size_t changes = 1 + random.below(4); changes > 0; --changes)
        mutate(input, corpus, scraps, random);
    return input;
}

}  // namespace knuckle::test
