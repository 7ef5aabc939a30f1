// SPDX-License-Identifier: Apache-2.0
#include "delegate/vocabulary.h"

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "base/bpf_names.h"
#include "kernel/bpf/bpf_enums.h"

namespace holdfast::delegate {
namespace {

struct KindFacts {
  std::string_view option;
  std::string_view noun;
  std::string_view enumeration;
  std::string_view prefix;  // the kernel removes it from the enumerators (kernel/bpf/inode.c)
  std::string_view end;     // the enumerator after the last one
  Names built_in;
};

const KindFacts& facts(Kind kind) {
  static const std::array<KindFacts, kKinds.size()> kFacts = {{
      {"delegate_cmds", "command", "bpf_cmd", "BPF_", "__MAX_BPF_CMD", kBpfCommandNames},
      {"delegate_maps", "map type", "bpf_map_type", "BPF_MAP_TYPE_", "__MAX_BPF_MAP_TYPE",
       kBpfMapNames},
      {"delegate_progs", "program type", "bpf_prog_type", "BPF_PROG_TYPE_", "__MAX_BPF_PROG_TYPE",
       kBpfProgramNames},
      {"delegate_attachs", "attach type", "bpf_attach_type", "BPF_", "__MAX_BPF_ATTACH_TYPE",
       kBpfAttachNames},
  }};
  return kFacts[static_cast<std::size_t>(kind)];
}

std::uint64_t bits_below(std::int64_t end) {
  return end >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << end) - 1;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

Result<Vocabulary::Part> part_from(const std::vector<kernel::Enumerator>& enumerators,
                                   const KindFacts& f) {
  Vocabulary::Part part;
  for (const kernel::Enumerator& e : enumerators) {
    if (e.name == f.end) part.any = bits_below(e.value);
    // Linux 7.3 has BPF_COMMON_ATTRS = 65536 among the commands. It is a flag, not a command. The
    // kernel shifts by it nevertheless, and the result is not a meaningful right.
    if (!e.name.starts_with(f.prefix) || e.value < 0 || e.value >= 64) continue;
    part.words.push_back(
        {static_cast<std::uint32_t>(e.value), lower(e.name.substr(f.prefix.size()))});
  }
  if (part.any == 0)
    return Error{ENOENT, "find enumerator", std::string(f.end), "this kernel cannot delegate BPF"};
  return part;
}

}  // namespace

std::string_view option_of(Kind kind) { return facts(kind).option; }
std::string_view noun_of(Kind kind) { return facts(kind).noun; }

std::string_view Vocabulary::word(Kind kind, std::uint32_t value) const {
  const auto& words = of(kind).words;
  const auto found = std::ranges::find(words, value, &Word::value);
  return found == words.end() ? std::string_view() : std::string_view(found->text);
}

Vocabulary built_in_vocabulary() {
  Vocabulary v;
  for (const Kind kind : kKinds) {
    Vocabulary::Part& part = v.parts[static_cast<std::size_t>(kind)];
    for (const Name& name : facts(kind).built_in) {
      part.words.push_back({name.value, std::string(name.text)});
      part.any |= std::uint64_t{1} << name.value;
    }
  }
  return v;
}

Result<Vocabulary> kernel_vocabulary() {
  std::vector<std::string_view> enums;
  for (const Kind kind : kKinds) enums.push_back(facts(kind).enumeration);
  HF_TRY_ASSIGN(auto read, kernel::kernel_enums(enums));
  Vocabulary v;
  v.source = Vocabulary::Source::kKernel;
  for (const Kind kind : kKinds) {
    const auto index = static_cast<std::size_t>(kind);
    HF_TRY_ASSIGN(auto part, part_from(read[index], facts(kind)));
    v.parts[index] = std::move(part);
  }
  return v;
}

Vocabulary vocabulary_here() {
  auto v = kernel_vocabulary();
  return v ? *std::move(v) : built_in_vocabulary();
}

}  // namespace holdfast::delegate
