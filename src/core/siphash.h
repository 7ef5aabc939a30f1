/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SipHash-2-4, a keyed hash. Without the key it is not possible to find two texts with the same hash.
 *
 * It hashes texts shorter than 256 bytes, in a buffer of fixed size that is zero after the text. So C++ and BPF code
 * can read it in whole words, which is easy for the BPF verifier. Little endian only.
 */
#ifndef HOLDFAST_CORE_SIPHASH_H
#define HOLDFAST_CORE_SIPHASH_H

#include "core/abi.h"
#include "core/inline.h"

#define HF_SIP_BYTES 256u
#define HF_SIP_WORDS 32u

struct hf_sip_key {
  __u64 k0;
  __u64 k1;
};

struct hf_sip_text {
  __u32 length; /* below HF_SIP_BYTES */
  __u32 pad0;
  __u64 words[HF_SIP_WORDS]; /* the text and zeros */
};

struct hf_sip_state {
  __u64 v0;
  __u64 v1;
  __u64 v2;
  __u64 v3;
};

HF_LAYOUT(sizeof(struct hf_sip_key) == 16);
HF_LAYOUT(HF_SIP_WORDS * sizeof(__u64) == HF_SIP_BYTES);
HF_LAYOUT(sizeof(struct hf_sip_text) == 264);
HF_AT(hf_sip_text, words, 8);

HF_INLINE __u64 hf_rotated(__u64 x, __u32 bits) { return x << bits | x >> (64 - bits); }

HF_INLINE void hf_sip_round(struct hf_sip_state *s) {
  s->v0 += s->v1;
  s->v1 = hf_rotated(s->v1, 13) ^ s->v0;
  s->v0 = hf_rotated(s->v0, 32);
  s->v2 += s->v3;
  s->v3 = hf_rotated(s->v3, 16) ^ s->v2;
  s->v0 += s->v3;
  s->v3 = hf_rotated(s->v3, 21) ^ s->v0;
  s->v2 += s->v1;
  s->v1 = hf_rotated(s->v1, 17) ^ s->v2;
  s->v2 = hf_rotated(s->v2, 32);
}

HF_INLINE void hf_sip_take(struct hf_sip_state *s, __u64 word) {
  s->v3 ^= word;
  hf_sip_round(s);
  hf_sip_round(s);
  s->v0 ^= word;
}

HF_INLINE void hf_sip_begin(struct hf_sip_state *s, const struct hf_sip_key *key) {
  s->v0 = 0x736f6d6570736575ull ^ key->k0;
  s->v1 = 0x646f72616e646f6dull ^ key->k1;
  s->v2 = 0x6c7967656e657261ull ^ key->k0;
  s->v3 = 0x7465646279746573ull ^ key->k1;
}

/* After the whole words: what is left of the text, and its length. */
HF_INLINE __u64 hf_sip_end(struct hf_sip_state *s, __u64 rest, __u32 length) {
  hf_sip_take(s, rest | (__u64)length << 56);
  s->v2 ^= 0xff;
  for (int i = 0; i < 4; i++) hf_sip_round(s);
  return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The hash of a whole text. */
HF_INLINE __u64 hf_siphash(const struct hf_sip_key *key, const struct hf_sip_text *text) {
  struct hf_sip_state s;
  __u32 whole = text->length / 8 % HF_SIP_WORDS;
  hf_sip_begin(&s, key);
  for (__u32 i = 0; i < whole; i++) hf_sip_take(&s, text->words[i]);
  return hf_sip_end(&s, text->words[whole], text->length);
}

#endif /* HOLDFAST_CORE_SIPHASH_H */
