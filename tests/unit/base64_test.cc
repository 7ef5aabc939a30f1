// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/base64.h"

namespace {

using holdfast::from_base64;
using holdfast::to_base64;

// RFC 4648, section 10.
TEST(Base64, TestVectorsOfTheStandard) {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
}

TEST(Base64, AnyBytesComeBack) {
  EXPECT_TRUE(
      rc::check([](const std::string& bytes) { return from_base64(to_base64(bytes)) == bytes; }));
}

TEST(Base64, WhatIsNone) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zm9v\n", "Zm=v", "Zh==", "Zm9=", "Zm8-"})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
