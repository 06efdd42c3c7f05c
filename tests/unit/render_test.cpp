#include "render.h"

#include <catch2/catch.hpp>

#include "sagejit/generator/error.h"
#include "templates.h"

using sagejit::Bindings;
using sagejit::Error;
using sagejit::render;

TEST_CASE("render replaces every placeholder") {
    CHECK(render("a ${x} b ${y}${x}", {{"x", "1"}, {"y", "22"}}) == "a 1 b 221");
    CHECK(render("no placeholders, a lone $ and {braces}", {}) ==
          "no placeholders, a lone $ and {braces}");
    CHECK(render("", {}).empty());
}

TEST_CASE("render refuses unbound, unused, doubled and unterminated placeholders") {
    CHECK_THROWS_AS(render("${x}", {}), Error);
    CHECK_THROWS_AS(render("text", {{"x", "1"}}), Error);
    CHECK_THROWS_AS(render("${x}", {{"x", "1"}, {"x", "2"}}), Error);
    CHECK_THROWS_AS(render("${x", {{"x", "1"}}), Error);
    CHECK_THROWS_AS(render("${x\n}", {{"x", "1"}}), Error);
    CHECK_THROWS_AS(render("${}", {{"x", "1"}}), Error);
}

TEST_CASE("only the prologues hold placeholders, and no template includes anything") {
    int with_placeholders = 0;
    for (const sagejit::Template& file : sagejit::all_templates()) {
        INFO(file.name);
        if (file.text.find("${") != std::string_view::npos) {
            ++with_placeholders;
            CHECK(file.name.ends_with("/prologue.cuh"));
        }
        CHECK(file.text.find("#include") == std::string_view::npos);
        CHECK(file.text.find("#if") == std::string_view::npos);
        CHECK(file.text.find("asm") == std::string_view::npos);
    }
    CHECK(with_placeholders == 2);
    CHECK_THROWS_AS(sagejit::template_text("attention/absent.cuh"), Error);
}
