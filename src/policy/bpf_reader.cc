// SPDX-License-Identifier: Apache-2.0
// [profile.NAME.bpf]: which BPF privileges are handed out. What is not listed is not delegated.
#include <fmt/core.h>

#include "policy/bpf_names.h"
#include "policy/reader.h"
#include "policy/suggest.h"

namespace holdfast::policy {
namespace {

constexpr std::uint32_t kMaskBits = 64;

void set_bit(BpfMask& mask, std::uint32_t bit) {
  if (bit < kMaskBits) {
    mask.low |= std::uint64_t{1} << bit;
  } else {
    mask.high |= std::uint64_t{1} << (bit - kMaskBits);
  }
}

// "any" is what the kernel's delegation options call everything, kinds that do not exist yet
// included.
Setting<BpfMask> read_mask(const Entry* entry, Names names, Reader& in) {
  if (entry == nullptr) return std::nullopt;
  const Value& value = entry->value;
  BpfMask mask;
  if (value.kind == Kind::string && value.string == "any")
    return stated(*entry, BpfMask{~std::uint64_t{0}, ~std::uint64_t{0}});
  if (!in.expect(*entry, Kind::array, "any or a list of the kernel's names")) return std::nullopt;
  for (const Stated<std::string>& word : in.strings(*entry, Reader::Single::refused)) {
    if (const auto bit = value_of(names, word.value)) {
      set_bit(mask, *bit);
    } else {
      in.error(word.value_where,
               fmt::format("the kernel has no '{}' among its {}", word.value, entry->key),
               suggest(word.value, names));
    }
  }
  return stated(*entry, mask);
}

}  // namespace

BpfDelegate read_bpf(const Entry& entry, Reader& in) {
  BpfDelegate bpf;
  bpf.where = entry.where;
  in.only_keys(entry.value, {"delegate"}, "bpf");
  const Value* table = in.table(entry.value, "delegate");
  if (table == nullptr) return bpf;
  bpf.where = entry.value.find("delegate")->where;
  in.only_keys(*table, {"commands", "maps", "programs", "attachments", "attach_to"},
               "bpf.delegate");
  bpf.commands = read_mask(table->find("commands"), kBpfCommandNames, in);
  bpf.maps = read_mask(table->find("maps"), kBpfMapNames, in);
  bpf.programs = read_mask(table->find("programs"), kBpfProgramNames, in);
  bpf.attachments = read_mask(table->find("attachments"), kBpfAttachNames, in);
  bpf.attach_to = in.word(table->find("attach_to"), kAttachToNames);
  return bpf;
}

}  // namespace holdfast::policy
