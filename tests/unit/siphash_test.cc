// SPDX-License-Identifier: Apache-2.0
// The keyed hash of labels against the vectors that its authors published (vectors_sip64).
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "core/machine_labels.h"

namespace {

// Of the bytes 00 01 02 ... with the key 00 01 ... 0f, for each length.
constexpr std::uint64_t kPublished[] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
};
constexpr hf_sip_key kKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

hf_sip_text text_of(const std::vector<unsigned char>& bytes) {
  hf_sip_text text = {};
  text.length = static_cast<__u32>(bytes.size());
  std::memcpy(text.words, bytes.data(), bytes.size());
  return text;
}

TEST(SipHash, IsWhatWasPublished) {
  std::vector<unsigned char> bytes;
  for (const std::uint64_t expected : kPublished) {
    const hf_sip_text text = text_of(bytes);
    EXPECT_EQ(hf_siphash(&kKey, &text), expected) << bytes.size() << " bytes";
    bytes.push_back(static_cast<unsigned char>(bytes.size()));
  }
}

// Every word of the longest text counts, and its length.
TEST(SipHash, ReadsTheWholeText) {
  std::vector<unsigned char> bytes(HF_SIP_BYTES - 1, 7);
  const hf_sip_text whole = text_of(bytes);
  const std::uint64_t hash = hf_siphash(&kKey, &whole);
  for (std::size_t i = 0; i < bytes.size(); i++) {
    auto other = bytes;
    other[i] ^= 1;
    const hf_sip_text text = text_of(other);
    EXPECT_NE(hf_siphash(&kKey, &text), hash) << i;
  }
  for (std::size_t length = 0; length < HF_SIP_BYTES - 1; length++) {
    const std::vector<unsigned char> zeros(length, 0), more(length + 1, 0);
    const hf_sip_text one = text_of(zeros), other = text_of(more);
    EXPECT_NE(hf_siphash(&kKey, &one), hf_siphash(&kKey, &other)) << length;
  }
}

TEST(SipHash, DependsOnTheKey) {
  const hf_sip_text text = text_of({1, 2, 3});
  const hf_sip_key other = {kKey.k0 ^ 1, kKey.k1};
  EXPECT_NE(hf_siphash(&kKey, &text), hf_siphash(&other, &text));
}

}  // namespace
