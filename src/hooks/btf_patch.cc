// SPDX-License-Identifier: Apache-2.0
#include "hooks/btf_patch.h"

#include <bpf/btf.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "bpf/bridge/hooks_verdict.h"

namespace holdfast::hooks {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

// The compiler may have written records of another size than this kernel's ABI has. libbpf passes
// them on unchanged.
template <typename Record>
std::vector<Record> copy_records(const void* records, std::uint32_t count, std::uint32_t bytes) {
  std::vector<Record> out(count);
  const auto* from = static_cast<const std::byte*>(records);
  for (std::uint32_t i = 0; i < count; i++) {
    std::memcpy(&out[i], from + std::size_t{i} * bytes,
                std::min<std::size_t>(bytes, sizeof(Record)));
  }
  return out;
}

Result<Btf> copy_of_loaded(int btf_fd) {
  bpf_btf_info info{};
  __u32 info_bytes = sizeof info;
  if (const int error = bpf_obj_get_info_by_fd(btf_fd, &info, &info_bytes); error < 0) {
    return Error{-error, "read the program's types", "", ""};
  }
  Btf types(btf__load_from_kernel_by_id(info.id));
  if (!types) return Error{errno, "read the program's types", "", ""};
  return types;
}

// The offset in bytes of ns_common.ns_type in the program's own types; -1: none. A struct may have
// a flavour suffix: ns_common___old.
int find_ns_type(const btf* types) {
  for (__u32 id = 1; id < btf__type_cnt(types); id++) {
    const btf_type* type = btf__type_by_id(types, id);
    if (!btf_is_struct(type)) continue;
    const std::string_view name = btf__name_by_offset(types, type->name_off);
    if (name != "ns_common" && !name.starts_with("ns_common___")) continue;
    for (int i = 0; i < btf_vlen(type); i++) {
      const btf_member& member = btf_members(type)[i];
      if (std::string_view(btf__name_by_offset(types, member.name_off)) == "ns_type") {
        return static_cast<int>(btf_member_bit_offset(type, static_cast<__u32>(i)) / 8);
      }
    }
  }
  return -1;
}

// The types of a map entry whose first word is a pointer with this tag. Returns {key, value}.
std::pair<int, int> add_entry(btf* types, const char* tag, const char* pointee) {
  const int number = btf__add_int(types, "unsigned long long", sizeof(__u64), 0);
  const int task = btf__add_struct(types, pointee, 0);  // the kernel looks it up by name
  const int tagged = btf__add_type_tag(types, tag, task);
  const int pointer = btf__add_ptr(types, tagged);
  const int value = btf__add_struct(types, "hf_moved_task", sizeof(hf_moved_task));
  btf__add_field(types, "task", pointer, offsetof(hf_moved_task, task) * 8, 0);
  btf__add_field(types, "outside", number, offsetof(hf_moved_task, outside) * 8, 0);
  btf__add_field(types, "child", number, offsetof(hf_moved_task, child) * 8, 0);
  btf__add_field(types, "asked", number, offsetof(hf_moved_task, asked) * 8, 0);
  return {number, value};
}

Result<Fd> make_pointer_map(const char* tag, const char* pointee) {
  const Btf types(btf__new_empty());
  if (!types) return Error{errno, "make the types of map", "hf_tasks", ""};
  const auto [key, value] = add_entry(types.get(), tag, pointee);
  __u32 bytes = 0;
  const void* data = btf__raw_data(types.get(), &bytes);
  // btf__load_into_kernel() would print a warning when the kernel refuses. Here a refusal is
  // expected.
  const Fd loaded(data != nullptr ? bpf_btf_load(data, bytes, nullptr) : -1);
  if (!loaded) return Error{errno, "load the types of map", "hf_tasks", ""};
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.btf_fd = static_cast<__u32>(loaded.get());
  options.btf_key_type_id = static_cast<__u32>(key);
  options.btf_value_type_id = static_cast<__u32>(value);
  const int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "hf_tasks", sizeof(__u64), sizeof(hf_moved_task),
                                HF_OP_CALLS, &options);
  if (fd < 0) return Error{-fd, "create map", "hf_tasks", ""};
  return Fd(fd);
}

}  // namespace

// Up to Linux 6.3 an untrusted pointer in a map has the tag "kptr". Later kernels use
// "kptr_untrusted", and "kptr" is a reference-counted pointer. They refuse "kptr" for a struct
// without a destructor.
Result<Fd> make_task_map() {
  const bool kptr_is_counted = !make_pointer_map("kptr", "super_block");
  return make_pointer_map(kptr_is_counted ? "kptr_untrusted" : "kptr", "task_struct");
}

Result<DebugInfo> patch_debug_info(const bpf_prog_load_opts& options) {
  DebugInfo debug;
  if (options.prog_btf_fd == 0 || options.func_info_cnt == 0) return debug;
  debug.functions = copy_records<bpf_func_info>(options.func_info, options.func_info_cnt,
                                                options.func_info_rec_size);
  debug.lines = copy_records<bpf_line_info>(options.line_info, options.line_info_cnt,
                                            options.line_info_rec_size);

  HF_TRY_ASSIGN(Btf types, copy_of_loaded(static_cast<int>(options.prog_btf_fd)));
  debug.ns_type_offset = find_ns_type(types.get());
  const btf_type* program = btf__type_by_id(types.get(), debug.functions[0].type_id);
  if (program == nullptr) return Error{EINVAL, "find the program's type", "", ""};
  // Copy both: adding a type may move the other types.
  const std::string name = btf__name_by_offset(types.get(), program->name_off);
  const int prototype = static_cast<int>(program->type);
  const int id = btf__add_func(types.get(), name.c_str(), BTF_FUNC_STATIC, prototype);
  if (id < 0) return Error{-id, "add a function type", name, ""};
  if (const int error = btf__load_into_kernel(types.get()); error < 0) {
    return Error{-error, "load the program's types", name, ""};
  }
  debug.btf = Fd(fcntl(btf__fd(types.get()), F_DUPFD_CLOEXEC, 0));
  if (!debug.btf) return Error{errno, "keep the program's types", name, ""};

  bpf_func_info entry = debug.functions[0];
  debug.functions[0].type_id = static_cast<__u32>(id);
  debug.functions.insert(debug.functions.begin(), entry);
  if (!debug.lines.empty()) debug.lines.insert(debug.lines.begin(), debug.lines[0]);
  return debug;
}

void shift_debug_info(bpf_prog_load_opts& options, std::uint32_t insns,
                      std::vector<bpf_func_info>& functions, std::vector<bpf_line_info>& lines) {
  functions = copy_records<bpf_func_info>(options.func_info, options.func_info_cnt,
                                          options.func_info_rec_size);
  lines = copy_records<bpf_line_info>(options.line_info, options.line_info_cnt,
                                      options.line_info_rec_size);
  // The first ones stay: they are about instruction 0.
  for (std::size_t i = 1; i < functions.size(); i++) functions[i].insn_off += insns;
  for (std::size_t i = 1; i < lines.size(); i++) lines[i].insn_off += insns;
  options.func_info = functions.data();
  options.func_info_rec_size = sizeof(bpf_func_info);
  options.line_info = lines.data();
  options.line_info_rec_size = sizeof(bpf_line_info);
}

void DebugInfo::apply_to(bpf_prog_load_opts& options, std::uint32_t wrapper_insns,
                         std::vector<bpf_func_info>& functions_out,
                         std::vector<bpf_line_info>& lines_out) const {
  functions_out = functions;
  lines_out = lines;
  for (std::size_t i = 1; i < functions_out.size(); i++) functions_out[i].insn_off += wrapper_insns;
  for (std::size_t i = 1; i < lines_out.size(); i++) lines_out[i].insn_off += wrapper_insns;
  options.prog_btf_fd = btf ? static_cast<__u32>(btf.get()) : 0;
  options.func_info = functions_out.data();
  options.func_info_cnt = static_cast<__u32>(functions_out.size());
  options.func_info_rec_size = sizeof(bpf_func_info);
  options.line_info = lines_out.data();
  options.line_info_cnt = static_cast<__u32>(lines_out.size());
  options.line_info_rec_size = sizeof(bpf_line_info);
}

}  // namespace holdfast::hooks
