// SPDX-License-Identifier: Apache-2.0
// Changes that are written into the text of a policy file.
#include <gtest/gtest.h>

#include "explain/amend.h"

namespace holdfast::policy {
namespace {

Span at(std::uint32_t line, std::uint32_t column = 1) { return {"p.toml", line, column, 0}; }

TEST(Amend, ReplacesAValueAndNothingElse) {
  struct {
    const char* before;
    Span where;
    const char* value;
    const char* after;  // null: refused
  } cases[] = {
      {"a = 1\nb = 2 # c\n", at(2), "3", "a = 1\nb = 3 # c\n"},
      {"b = [\n \"x\", # ]\n 'y]',\n] # end\nc = 1\n", at(1), "[]", "b = [] # end\nc = 1\n"},
      {"b = \"\\\"#\" # c\n", at(1), "1", "b = 1 # c\n"},
      {"b = \"\"\"\na\n\"\"\"\nc = 1\n", at(1), "1", "b = 1\nc = 1\n"},
      {"\"a=b\".c = 1", at(1), "2", "\"a=b\".c = 2"},
      {"t = { a = 1, b = [2] }\n", at(1, 7), "3", "t = { a = 3, b = [2] }\n"},
      {"t = { a = 1, b = [2] }\n", at(1, 14), "3", "t = { a = 1, b = 3 }\n"},
      {"a = 1\nb = [\n1,\n] # gone\nc = 2\n", at(2), "", "a = 1\nc = 2\n"},
      {"a = 1", at(1), "", ""},
      {"a = [1\n", at(1), "2", nullptr},
      {"a = \"x\n", at(1), "2", nullptr},
      {"a\n", at(1), "2", nullptr},
      {"a =", at(1), "2", nullptr},
      {"a = 1\n", at(9), "2", nullptr},
      {"", at(1), "2", nullptr},
  };
  for (const auto& one : cases) {
    const auto after = with_value(one.before, one.where, one.value);
    EXPECT_EQ(after.has_value(), one.after != nullptr) << one.before;
    if (after && one.after != nullptr) {
      EXPECT_EQ(*after, one.after);
    }
  }
}

TEST(Amend, AddsAStatementToItsProfile) {
  EXPECT_EQ(with_statement("version = 1\n[profile.web] # c\nx = 1", "web", "mode", "\"audit\""),
            "version = 1\n[profile.web] # c\nmode = \"audit\"\nx = 1\n");
  EXPECT_EQ(with_statement("version = 1\n", "a b", "x", "1"),
            "version = 1\n\n[profile.\"a b\"]\nx = 1\n");
}

TEST(Amend, AddsASocketRuleBeforeTheOthers) {
  const std::string rule = "[[profile.a.socket]]\non = [\"send\"]\n";
  EXPECT_EQ(with_socket_rule("[profile.a]\n\n[[profile.a.socket]]\non = []\n", "a", rule),
            "[profile.a]\n\n" + rule + "\n[[profile.a.socket]]\non = []\n");
  EXPECT_EQ(with_socket_rule("[profile.a]", "a", rule), "[profile.a]\n\n" + rule);
}

}  // namespace
}  // namespace holdfast::policy
