// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/page_check.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace knuckle::store {

// The file, its integers in the machine's (little-endian) order:
//
//   file     := page*                  page n begins at n * page size; 0 and 1 are meta pages
//   page     := number(u64) pad(u16) flags(u16) body
//   meta     := magic(u32) version(u32) address(u64) map-size(u64) free(tree) main(tree)
//               last-page(u64) transaction(u64)
//               The one with the higher transaction holds.
//   tree     := pad(u32) flags(u16) depth(u16) branches(u64) leaves(u64) overflows(u64)
//               entries(u64) root(u64)
//               The pad of the free tree is the page size.
//   branch, leaf := lower(u16) upper(u16) offset(u16)* ... node*
//               The offsets end at lower. The nodes fill the page from upper to its end; each
//               begins at an even offset from the start of the page.
//   node of a branch := child(u48) key-size(u16) key
//               The first key of a page is ignored.
//   node of a leaf   := data-size(u32) flags(u16) key-size(u16) key data
//               With kIsOverflowing the data is the number (u64) of an overflow page.
//   overflow := pages(u32) data        runs on over that many pages
//   data in the free tree := count(u64) page-number(u64)*        falling
namespace {

constexpr uint32_t kMagic = 0xBEEFC0DE;
constexpr uint32_t kDataVersion = 1;
constexpr size_t kHeaderSize = 16;
constexpr size_t kMetaSize = 136;
constexpr size_t kNodeSize = 8;
constexpr size_t kTreeKeyMax = 511;
constexpr uint64_t kNoPage = UINT64_MAX;
constexpr uint64_t kMetaPages = 2;
constexpr size_t kPageSizeMin = 4'096;
constexpr size_t kPageSizeMax = 32'768;
// As high as LMDB's cursors can climb.
constexpr size_t kDepthMax = 32;

constexpr uint16_t kBranchPage = 0x01;
constexpr uint16_t kLeafPage = 0x02;
constexpr uint16_t kOverflowPage = 0x04;
constexpr uint16_t kMetaPage = 0x08;
constexpr uint16_t kIsOverflowing = 0x01;
constexpr uint16_t kIsSubTree = 0x02;
constexpr uint16_t kIntegerKeys = 0x08;

constexpr const char* kForeign = "data.mdb is not a database of Knuckle";
constexpr const char* kCutOff =
    "the database is damaged: data.mdb is shorter than it should be; restore it from a backup";
constexpr const char* kBadMeta =
    "the database is damaged: the head of data.mdb is not sound; restore it from a backup";
constexpr const char* kBadPage =
    "the database is damaged: a page of data.mdb is not sound; restore it from a backup";

Error bad_page(uint64_t number) {
    return fail(
        Errc::corrupt, kBadPage, static_cast<int32_t>(std::min<uint64_t>(number, INT32_MAX)));
}

template <typename Int>
Int load(ByteView bytes, size_t at) {
    Int value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

struct Tree {
    uint16_t flags = 0;
    uint16_t depth = 0;
    uint64_t entries = 0;
    uint64_t root = kNoPage;
};

struct Meta {
    size_t page_size = 0;
    Tree free;
    Tree main;
    uint64_t last_page = 0;
    uint64_t transaction = 0;
};

struct Node {
    ByteView key;
    ByteView data;       // of a leaf; the 8 bytes of a page number if it overflows
    uint64_t child = 0;  // of a branch
    uint64_t data_size = 0;
    uint16_t flags = 0;

    [[nodiscard]] size_t size() const {
        const size_t size = kNodeSize + key.size() + data.size();
        return size + size % 2;
    }
};

// LMDB leaves no gaps between the nodes of a page, so two that overlap show in the sum.
size_t space_of_nodes(ByteView page) { return page.size() - load<uint16_t>(page, 14); }

Tree load_tree(ByteView bytes, size_t at) {
    return {.flags = load<uint16_t>(bytes, at + 4),
            .depth = load<uint16_t>(bytes, at + 6),
            .entries = load<uint64_t>(bytes, at + 32),
            .root = load<uint64_t>(bytes, at + 40)};
}

class Checker {
public:
    explicit Checker(ByteView file) : file_(file) {}

    Result<void> run() {
        KNUCKLE_TRY(read_metas());
        used_.assign(static_cast<size_t>(std::min<uint64_t>(meta_.last_page + 1, pages_in_file())),
                     false);
        KNUCKLE_TRY(check_tree(meta_.main, false));
        return check_tree(meta_.free, true);
    }

private:
    [[nodiscard]] uint64_t pages_in_file() const { return file_.size() / meta_.page_size; }

    Result<Meta> read_meta(size_t at) const;
    Result<void> read_metas();
    Result<void> check_tree(const Tree& tree, bool is_free_tree);
    Result<void> check_page(uint64_t number, size_t level);
    Result<void> check_branch(uint64_t number, ByteView page, size_t count, size_t level);
    Result<void> check_leaf(uint64_t number, ByteView page, size_t count);
    Result<ByteView> take_overflow(const Node& node);
    Result<void> check_free_list(uint64_t number, ByteView list);

    // Marks the page as used. False: it is not in the file, or in use already.
    bool take(uint64_t number) {
        if (number < kMetaPages || number >= used_.size() || used_[static_cast<size_t>(number)])
            return false;
        used_[static_cast<size_t>(number)] = true;
        return true;
    }
    [[nodiscard]] ByteView page_at(uint64_t number) const {
        return file_.subspan(static_cast<size_t>(number) * meta_.page_size, meta_.page_size);
    }
    [[nodiscard]] bool read_node(ByteView page, size_t index, bool is_leaf, Node& node) const;
    // Is `key` where it may be: after all keys seen, and not before the last branch taken?
    [[nodiscard]] bool is_next(ByteView key, bool may_equal) const;

    ByteView file_;
    Meta meta_;
    std::vector<bool> used_;
    // Of the tree being walked:
    bool is_free_tree_ = false;
    size_t depth_ = 0;
    uint64_t entries_ = 0;
    ByteView last_key_;
    bool last_is_bound_ = false;  // last_key_ comes from a branch: a row may have that key
};

Result<Meta> Checker::read_meta(size_t at) const {
    if (file_.size() < at + kHeaderSize + kMetaSize) return fail(Errc::corrupt, kCutOff);
    const ByteView page = file_.subspan(at, kHeaderSize + kMetaSize);
    const ByteView body = page.subspan(kHeaderSize);
    if ((load<uint16_t>(page, 10) & kMetaPage) == 0 || load<uint32_t>(body, 0) != kMagic) {
        // The first page says what file it is; with the second one it is the same file, damaged.
        return at == 0 ? fail(Errc::invalid, kForeign) : fail(Errc::corrupt, kBadMeta);
    }
    if (load<uint32_t>(body, 4) != kDataVersion) return fail(Errc::invalid, kForeign);
    Meta meta;
    meta.page_size = load<uint32_t>(body, 24);
    meta.free = load_tree(body, 24);
    meta.main = load_tree(body, 72);
    meta.last_page = load<uint64_t>(body, 120);
    meta.transaction = load<uint64_t>(body, 128);
    const bool is_power_of_two = (meta.page_size & (meta.page_size - 1)) == 0;
    if (meta.page_size < kPageSizeMin || meta.page_size > kPageSizeMax || !is_power_of_two) {
        return fail(Errc::corrupt, kBadMeta);
    }
    return meta;
}

Result<void> Checker::read_metas() {
    Meta first = KNUCKLE_TRY(read_meta(0));
    Meta second = KNUCKLE_TRY(read_meta(first.page_size));
    if (first.page_size != second.page_size) return fail(Errc::corrupt, kBadMeta);
    meta_ = second.transaction > first.transaction ? second : first;
    // The file may end before last_page, if the pages at its end are free.
    const uint64_t last_page_max = (uint64_t{1} << 47) / meta_.page_size;
    if (meta_.last_page < kMetaPages - 1 || meta_.last_page > last_page_max) {
        return fail(Errc::corrupt, kBadMeta);
    }
    if (meta_.main.flags != 0) return fail(Errc::invalid, kForeign);
    if (meta_.free.flags != kIntegerKeys) return fail(Errc::corrupt, kBadMeta);
    return {};
}

Result<void> Checker::check_tree(const Tree& tree, bool is_free_tree) {
    is_free_tree_ = is_free_tree;
    depth_ = tree.depth;
    entries_ = 0;
    last_key_ = {};
    last_is_bound_ = false;
    if (tree.root == kNoPage) {
        if (tree.depth != 0 || tree.entries != 0) return fail(Errc::corrupt, kBadMeta);
        return {};
    }
    if (tree.depth == 0 || tree.depth > kDepthMax) return fail(Errc::corrupt, kBadMeta);
    KNUCKLE_TRY(check_page(tree.root, 1));
    if (entries_ != tree.entries) return fail(Errc::corrupt, kBadMeta);
    return {};
}

Result<void> Checker::check_page(uint64_t number, size_t level) {
    if (number > meta_.last_page) return bad_page(number);
    if (number >= pages_in_file()) return fail(Errc::corrupt, kCutOff);
    if (!take(number)) return bad_page(number);
    const ByteView page = page_at(number);
    const bool is_leaf = level == depth_;
    const size_t lower = load<uint16_t>(page, 12);
    const size_t upper = load<uint16_t>(page, 14);
    const bool is_sound = load<uint64_t>(page, 0) == number &&
                          load<uint16_t>(page, 10) == (is_leaf ? kLeafPage : kBranchPage) &&
                          lower >= kHeaderSize && lower % 2 == 0 && lower <= upper &&
                          upper <= meta_.page_size;
    if (!is_sound) return bad_page(number);
    const size_t count = (lower - kHeaderSize) / 2;
    if (count == 0) return bad_page(number);
    return is_leaf ? check_leaf(number, page, count) : check_branch(number, page, count, level);
}

Result<void> Checker::check_branch(uint64_t number, ByteView page, size_t count, size_t level) {
    if (count < 2 && !is_free_tree_) return bad_page(number);
    size_t filled = 0;
    for (size_t i = 0; i < count; ++i) {
        Node node;
        if (!read_node(page, i, false, node)) return bad_page(number);
        filled += node.size();
        if (i > 0) {
            if (!is_next(node.key, false)) return bad_page(number);
            last_key_ = node.key;
            last_is_bound_ = true;
        }
        KNUCKLE_TRY(check_page(node.child, level + 1));
    }
    if (filled != space_of_nodes(page)) return bad_page(number);
    return {};
}

Result<void> Checker::check_leaf(uint64_t number, ByteView page, size_t count) {
    entries_ += count;
    size_t filled = 0;
    for (size_t i = 0; i < count; ++i) {
        Node node;
        if (!read_node(page, i, true, node) || !is_next(node.key, last_is_bound_)) {
            return bad_page(number);
        }
        filled += node.size();
        last_key_ = node.key;
        last_is_bound_ = false;
        if ((node.flags & kIsSubTree) != 0) return fail(Errc::invalid, kForeign);
        if ((node.flags & ~kIsOverflowing) != 0) return bad_page(number);
        ByteView data = node.data;
        if ((node.flags & kIsOverflowing) != 0) data = KNUCKLE_TRY(take_overflow(node));
        if (is_free_tree_) KNUCKLE_TRY(check_free_list(number, data));
    }
    if (filled != space_of_nodes(page)) return bad_page(number);
    return {};
}

Result<ByteView> Checker::take_overflow(const Node& node) {
    const auto first = load<uint64_t>(node.data, 0);
    if (first < kMetaPages || first > meta_.last_page) return bad_page(first);
    if (first >= pages_in_file()) return fail(Errc::corrupt, kCutOff);
    const ByteView head = page_at(first);
    const uint64_t count = load<uint32_t>(head, 12);
    const uint64_t needed = (kHeaderSize + node.data_size + meta_.page_size - 1) / meta_.page_size;
    const bool is_sound = load<uint64_t>(head, 0) == first &&
                          load<uint16_t>(head, 10) == kOverflowPage && count >= needed &&
                          count <= meta_.last_page + 1 - first;
    if (!is_sound) return bad_page(first);
    if (count > pages_in_file() - first) return fail(Errc::corrupt, kCutOff);
    for (uint64_t i = 0; i < count; ++i) {
        if (!take(first + i)) return bad_page(first + i);
    }
    return file_.subspan(static_cast<size_t>(first) * meta_.page_size + kHeaderSize,
                         static_cast<size_t>(node.data_size));
}

Result<void> Checker::check_free_list(uint64_t number, ByteView list) {
    if (list.size() < sizeof(uint64_t)) return bad_page(number);
    const auto count = load<uint64_t>(list, 0);
    if (count > list.size() / sizeof(uint64_t) - 1) return bad_page(number);
    uint64_t last = meta_.last_page + 1;
    for (size_t i = 1; i <= count; ++i) {
        const auto free = load<uint64_t>(list, i * sizeof(uint64_t));
        if (free < kMetaPages || free >= last) return bad_page(number);
        last = free;
        if (free < used_.size() && !take(free)) return bad_page(free);
    }
    return {};
}

bool Checker::read_node(ByteView page, size_t index, bool is_leaf, Node& node) const {
    const size_t at = load<uint16_t>(page, kHeaderSize + 2 * index);
    if (at < load<uint16_t>(page, 14) || at % 2 != 0 || at + kNodeSize > page.size()) return false;
    const size_t room = page.size() - at - kNodeSize;
    const size_t key_size = load<uint16_t>(page, at + 6);
    if (key_size > room) return false;
    node.key = page.subspan(at + kNodeSize, key_size);
    if (!is_leaf) {
        node.child = load<uint64_t>(page, at) & 0xffff'ffff'ffff;
        return index == 0 || (key_size > 0 && key_size <= kTreeKeyMax);
    }
    node.data_size = load<uint32_t>(page, at);
    node.flags = load<uint16_t>(page, at + 4);
    const bool is_overflowing = (node.flags & kIsOverflowing) != 0;
    const uint64_t size = is_overflowing ? sizeof(uint64_t) : node.data_size;
    if (key_size == 0 || key_size > kTreeKeyMax || size > room - key_size) return false;
    node.data = page.subspan(at + kNodeSize + key_size, static_cast<size_t>(size));
    return true;
}

bool Checker::is_next(ByteView key, bool may_equal) const {
    if (is_free_tree_) {
        if (key.size() != sizeof(uint64_t)) return false;
        if (last_key_.empty()) return true;
        const auto last = load<uint64_t>(last_key_, 0);
        const auto next = load<uint64_t>(key, 0);
        return may_equal ? next >= last : next > last;
    }
    if (last_key_.empty()) return true;
    const size_t size = std::min(key.size(), last_key_.size());
    int order = std::memcmp(key.data(), last_key_.data(), size);
    if (order == 0 && key.size() != last_key_.size()) order = key.size() > size ? 1 : -1;
    return may_equal ? order >= 0 : order > 0;
}

}  // namespace

Result<void> check_pages(ByteView file) { return Checker(file).run(); }

}  // namespace knuckle::store
