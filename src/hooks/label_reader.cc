// SPDX-License-Identifier: Apache-2.0
#include "hooks/label_reader.h"

#include <bpf/libbpf.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "base/fd.h"
#include "hooks/kernel_types.h"
#include "kernel/memory.h"
#include "kernel/system_error.h"

namespace holdfast::hooks {
namespace {

using Bytes = std::span<const std::byte>;

// ---- what the kernel has -------------------------------------------------------------------------

// What bpf/bridge/label_walk.bpf.h reads. libbpf gives it the offsets; that the members are what
// they were taken for is checked here.
struct ReadMember {
  const char* record;
  const char* member;
  const char* is;  // "struct NAME", "*" a pointer, "[]" an array, "8" an integer of 8 bytes
};
constexpr ReadMember kReadMembers[] = {{"sockfs_inode", "xattrs", "list_head"},
                                       {"sockfs_inode", "socket", "socket"},
                                       {"socket_alloc", "socket", "socket"},
                                       {"socket_alloc", "vfs_inode", "inode"},
                                       {"simple_xattr", "node", "list_head"},
                                       {"simple_xattr", "name", "*"},
                                       {"simple_xattr", "size", "8"},
                                       {"simple_xattr", "value", "[]"},
                                       {"list_head", "next", "*"},
                                       {"socket", "file", "*"},
                                       {"file", "f_inode", "*"}};

constexpr const char* kCalledFunctions[] = {"bpf_rcu_read_lock",  "bpf_rcu_read_unlock",
                                            "bpf_rdonly_cast",    "bpf_strcmp",
                                            "bpf_dynptr_is_null", "bpf_dynptr_is_rdonly",
                                            "bpf_dynptr_size",    "bpf_probe_read_kernel_dynptr"};

bool is(const btf* kernel, const btf_type* type, std::string_view what) {
  if (type == nullptr) return false;
  if (what == "*") return btf_is_ptr(type);
  if (what == "[]") return btf_is_array(type);
  if (what == "8") return btf_is_int(type) && type->size == 8;
  return btf_is_struct(type) && btf__name_by_offset(kernel, type->name_off) == what;
}

// Empty: the list can be read.
std::string what_lacks(const btf* kernel) {
  for (const ReadMember& read : kReadMembers) {
    const auto member = find_member(kernel, read.record, read.member);
    if (!member || !is(kernel, skip_modifiers(kernel, member->type_id), read.is))
      return std::string("struct ") + read.record + " is not as expected";
  }
  for (const char* function : kCalledFunctions)
    if (function_id(kernel, function) == 0)
      return std::string("this kernel's type information lacks ") + function;
  return {};
}

// ---- object files --------------------------------------------------------------------------------

template <typename T>
std::optional<T> read_at(Bytes from, std::uint64_t offset) {
  if (offset > from.size() || from.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, from.data() + offset, sizeof value);
  return value;
}

std::optional<Bytes> contents(Bytes elf, const Elf64_Shdr& section) {
  if (section.sh_offset > elf.size() || section.sh_size > elf.size() - section.sh_offset)
    return std::nullopt;
  return elf.subspan(section.sh_offset, section.sh_size);
}

// Empty: there is none.
std::string_view text_at(Bytes texts, std::uint64_t offset) {
  if (offset >= texts.size()) return {};
  const auto* begin = reinterpret_cast<const char*>(texts.data()) + offset;
  return {begin, strnlen(begin, texts.size() - offset)};
}

// Empty: it is not an object file of this machine's byte order.
std::vector<Elf64_Shdr> sections_of(Bytes elf) {
  const auto header = read_at<Elf64_Ehdr>(elf, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
    return {};
  std::vector<Elf64_Shdr> sections;
  for (unsigned i = 0; i < header->e_shnum; i++) {
    const auto section = read_at<Elf64_Shdr>(elf, header->e_shoff + i * sizeof(Elf64_Shdr));
    if (!section) return {};
    sections.push_back(*section);
  }
  return sections;
}

std::optional<Elf64_Shdr> section_named(Bytes elf, std::string_view name) {
  const auto header = read_at<Elf64_Ehdr>(elf, 0);
  const std::vector<Elf64_Shdr> sections = sections_of(elf);
  if (!header || header->e_shstrndx >= sections.size()) return std::nullopt;
  const auto names = contents(elf, sections[header->e_shstrndx]);
  if (!names) return std::nullopt;
  for (const Elf64_Shdr& section : sections)
    if (text_at(*names, section.sh_name) == name) return section;
  return std::nullopt;
}

bool declares(Bytes symbols, Bytes names, std::string_view name) {
  for (std::uint64_t at = 0; const auto symbol = read_at<Elf64_Sym>(symbols, at);
       at += sizeof(Elf64_Sym))
    if (symbol->st_shndx == SHN_UNDEF && text_at(names, symbol->st_name) == name) return true;
  return false;
}

// ---- linking -------------------------------------------------------------------------------------

Result<std::vector<std::byte>> read_whole(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return kernel::system_error("fstat");
  HF_TRY_ASSIGN(const std::string text,
                kernel::read_memory_file(fd, static_cast<std::size_t>(status.st_size)));
  const auto bytes = std::as_bytes(std::span(text));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

std::string path_of(const Fd& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The linker leaves the function, which is defined now, among the external ones, and libbpf would
// look for its definition elsewhere. Each other entry of an external function may be there twice.
Result<void> drop_external(std::vector<std::byte>& elf) {
  const auto section = section_named(elf, ".BTF");
  const auto found = section ? contents(elf, *section) : std::nullopt;
  if (!found) return Error{EINVAL, "link", std::string(kLabelReader), "the result has no types"};
  const std::unique_ptr<btf, decltype(&btf__free)> types(
      btf__new(found->data(), static_cast<__u32>(found->size())), &btf__free);
  if (!types) return kernel::system_error("read the types of", std::string(kLabelReader));
  const int externals = btf__find_by_name_kind(types.get(), ".ksyms", BTF_KIND_DATASEC);
  const __u32 reader = function_id(types.get(), std::string(kLabelReader));
  if (externals < 0 || reader == 0) return {};
  auto* list = const_cast<btf_type*>(btf__type_by_id(types.get(), static_cast<__u32>(externals)));
  const std::span entries(btf_var_secinfos(list), btf_vlen(list));
  const auto other = std::ranges::find_if(entries, [&](const btf_var_secinfo& entry) {
    return entry.type != reader && btf_is_func(btf__type_by_id(types.get(), entry.type));
  });
  if (other == entries.end()) return {};  // libbpf says what is wrong
  for (btf_var_secinfo& entry : entries)
    if (entry.type == reader) entry.type = other->type;
  __u32 size = 0;
  const void* changed = btf__raw_data(types.get(), &size);
  if (changed == nullptr || size != found->size())
    return Error{EINVAL, "link", std::string(kLabelReader), "the types have another size"};
  std::memcpy(elf.data() + section->sh_offset, changed, size);
  return {};
}

}  // namespace

LabelOffer find_label_offer(const btf* kernel) {
  using Source = LabelOffer::Source;
  if (function_id(kernel, std::string(kLabelReader)) != 0)
    return {Source::kKernel, "the kernel has it"};
  if (!find_member(kernel, "sockfs_inode", "xattrs"))
    return {Source::kNone, "before Linux 7.1 sockets have no labels that programs can read"};
  if (std::string lacks = what_lacks(kernel); !lacks.empty())
    return {Source::kNone, std::move(lacks)};
  return {Source::kList, "reads the kernel's list of a socket's attributes"};
}

Result<std::vector<std::byte>> read_object_file(const char* path) {
  const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  if (!file) return kernel::system_error("open", path);
  return read_whole(file.get());
}

bool imports_label_reader(Bytes elf) {
  const std::vector<Elf64_Shdr> sections = sections_of(elf);
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const auto symbols = contents(elf, section);
    const auto names = contents(elf, sections[section.sh_link]);
    if (symbols && names && declares(*symbols, *names, kLabelReader)) return true;
  }
  return false;
}

Result<std::vector<std::byte>> link_label_reader(Bytes elf, Bytes reader) {
  const std::string what(kLabelReader);
  HF_TRY_ASSIGN(const Fd object, kernel::make_memory_file(as_text(elf)));
  HF_TRY_ASSIGN(const Fd added, kernel::make_memory_file(as_text(reader)));
  HF_TRY_ASSIGN(const Fd linked, kernel::make_memory_file({}));
  const std::unique_ptr<bpf_linker, decltype(&bpf_linker__free)> linker(
      bpf_linker__new(path_of(linked).c_str(), nullptr), &bpf_linker__free);
  if (!linker) return kernel::system_error("link", what);
  for (const Fd* file : {&object, &added})
    if (const int error = bpf_linker__add_file(linker.get(), path_of(*file).c_str(), nullptr);
        error < 0)
      return Error{-error, "link", what,
                   "libbpf's linker refuses the object: declare the function as Linux 7.3 has it"};
  if (const int error = bpf_linker__finalize(linker.get()); error < 0)
    return Error{-error, "link", what,
                 "libbpf's linker refuses the object: declare the function as Linux 7.3 has it"};
  HF_TRY_ASSIGN(auto whole, read_whole(linked.get()));
  HF_TRY(drop_external(whole));
  return whole;
}

}  // namespace holdfast::hooks
