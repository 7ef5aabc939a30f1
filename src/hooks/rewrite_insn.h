// SPDX-License-Identifier: Apache-2.0
// Constructors for the BPF instructions of generated code.
#ifndef HOLDFAST_HOOKS_REWRITE_INSN_H
#define HOLDFAST_HOOKS_REWRITE_INSN_H

#include <linux/bpf.h>

#include <cstdint>

namespace holdfast::hooks {

constexpr bpf_insn insn(int code, int dst, int src, int offset, std::int32_t imm) {
  bpf_insn out{};
  out.code = static_cast<__u8>(code);
  out.dst_reg = static_cast<__u8>(dst & 0xf);
  out.src_reg = static_cast<__u8>(src & 0xf);
  out.off = static_cast<__s16>(offset);
  out.imm = imm;
  return out;
}

constexpr bpf_insn move(int dst, int src) {
  return insn(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}
constexpr bpf_insn move_imm(int dst, std::int32_t imm) {
  return insn(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}
// Some of these constants are 0; they are written for readability.
constexpr bpf_insn add_imm(int dst, std::int32_t imm) {
  return insn(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm);  // NOLINT(misc-redundant-expression)
}
inline constexpr int kLoad64 = BPF_LD | BPF_DW | BPF_IMM;  // NOLINT(misc-redundant-expression)
constexpr bpf_insn and_imm(int dst, std::int32_t imm) {
  return insn(BPF_ALU64 | BPF_AND | BPF_K, dst, 0, 0, imm);
}
constexpr bpf_insn or_imm(int dst, std::int32_t imm) {
  return insn(BPF_ALU64 | BPF_OR | BPF_K, dst, 0, 0, imm);
}
// size: BPF_W or BPF_DW.
constexpr bpf_insn load(int size, int dst, int base, int offset) {
  return insn(BPF_LDX | BPF_MEM | size, dst, base, offset, 0);
}
constexpr bpf_insn store(int size, int base, int offset, int src) {
  return insn(BPF_STX | BPF_MEM | size, base, src, offset, 0);
}
constexpr bpf_insn store_imm(int size, int base, int offset, std::int32_t imm) {
  return insn(BPF_ST | BPF_MEM | size, base, 0, offset, imm);
}
// comparison: BPF_JEQ, BPF_JNE, …. The caller sets the target later.
constexpr bpf_insn jump_imm(int comparison, int dst, std::int32_t imm) {
  return insn(BPF_JMP | comparison | BPF_K, dst, 0, 0, imm);
}
// Compares the lower 32 bits.
constexpr bpf_insn jump32_imm(int comparison, int dst, std::int32_t imm) {
  return insn(BPF_JMP32 | comparison | BPF_K, dst, 0, 0, imm);
}
constexpr bpf_insn jump_reg(int comparison, int dst, int src) {
  return insn(BPF_JMP | comparison | BPF_X, dst, src, 0, 0);
}
constexpr bpf_insn jump() { return insn(BPF_JMP | BPF_JA, 0, 0, 0, 0); }
constexpr bpf_insn call_helper(bpf_func_id helper) {
  return insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}
constexpr bpf_insn call_program() { return insn(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0); }
constexpr bpf_insn leave() { return insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_REWRITE_INSN_H
