// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/lmdb_env.h"
#include "store/rows.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

// A tree with a few short keys, in a transaction of its own that is thrown away.
struct Tree {
    Shelf shelf;
    Transaction txn = shelf.begin_write();
    Rows rows{txn.get(), shelf.env().state()};

    explicit Tree(const std::vector<std::string>& names) {
        for (const std::string& name : names) REQUIRE(rows.put(key(name), as_bytes(name)));
    }
    static RowKey key(const std::string& name) { return *RowKey::from(as_bytes(name)); }
    std::vector<std::string> list(const std::string& front, size_t count_max = SIZE_MAX) {
        std::vector<std::string> names;
        for (const RowKey& row : must(rows.list(key(front), count_max))) {
            names.emplace_back(as_text(row.view()));
        }
        return names;
    }
    std::string last(const std::string& front, const std::string& bound) {
        const auto row = must(rows.last(key(front), key(bound)));
        return row ? std::string(as_text(row->view())) : "none";
    }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("A row is found, replaced and erased by its key", "[store][rows]") {
    Tree tree({"a1"});
    CHECK(as_text(must(tree.rows.get(Tree::key("a1"))).value()) == "a1");
    REQUIRE(tree.rows.put(Tree::key("a1"), as_bytes("longer than before")));
    CHECK(as_text(must(tree.rows.get(Tree::key("a1"))).value()) == "longer than before");
    CHECK(must(tree.rows.has(Tree::key("a1"))));
    REQUIRE(tree.rows.erase(Tree::key("a1")));
    CHECK_FALSE(must(tree.rows.has(Tree::key("a1"))));
    CHECK_FALSE(must(tree.rows.get(Tree::key("a1"))).has_value());
    CHECK(tree.rows.erase(Tree::key("a1")));  // nothing to do
}

TEST_CASE("Rows with one front are listed in order and erased together", "[store][rows]") {
    Tree tree({"a1", "b2", "b1", "b3", "bb", "c1"});
    CHECK(tree.list("b") == Names{"b1", "b2", "b3", "bb"});
    CHECK(tree.list("b", 2) == Names{"b1", "b2"});
    CHECK(tree.list("b", 0).empty());
    CHECK(tree.list("bc").empty());
    CHECK(tree.list("z").empty());
    REQUIRE(tree.rows.erase_all(Tree::key("b")));
    CHECK(tree.list("b").empty());
    CHECK(tree.list("a") == Names{"a1"});
    CHECK(tree.list("c") == Names{"c1"});
}

TEST_CASE("Rows are read on from where one has stopped, even if that row is gone",
          "[store][rows]") {
    Tree tree({"a1", "b1", "b2", "b4", "c1"});
    const auto from = [&tree](const std::string& key, size_t count_max = SIZE_MAX) {
        Names names;
        for (const RowView& row : must(tree.rows.list(Tree::key("b"), Tree::key(key), count_max))) {
            CHECK(as_text(row.key) == as_text(row.value));
            names.emplace_back(as_text(row.key));
        }
        return names;
    };
    CHECK(from("b") == Names{"b1", "b2", "b4"});
    CHECK(from("b2") == Names{"b2", "b4"});
    CHECK(from("b2", 1) == Names{"b2"});
    CHECK(from("b3") == Names{"b4"});
    CHECK(from("b5").empty());
}

TEST_CASE("The last row of a front is found wherever it lies", "[store][rows]") {
    Tree tree({"b1", "b2", "z1", "z9"});
    CHECK(tree.last("b", "b9") == "b2");
    CHECK(tree.last("b", "b2") == "b2");
    CHECK(tree.last("b", "b1") == "b1");
    CHECK(tree.last("z", "zz") == "z9");  // the last of all
    CHECK(tree.last("c", "c9") == "none");
    CHECK(tree.last("y", "y9") == "none");
    CHECK(tree.last("zz", "zz") == "none");
}
