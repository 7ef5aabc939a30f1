// SPDX-License-Identifier: Apache-2.0
// Every compiled BPF object lays the structures of core/abi.h out as the C++ compiler does. Members
// named pad0, pad1 and so on are not listed: where they are follows from the others and the size.
#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/abi.h"

namespace {

struct Layout {
  std::size_t size;
  std::map<std::string, std::size_t> offsets;
};

#define AT(type, field) \
  { #field, offsetof(type, field) }

// The members that keys of each type have.
#define AT_Word(field, ...) AT(hf_profile, field),
#define AT_Types(field) AT(hf_profile, field),
#define AT_Flag(field) AT(hf_profile, field),
#define AT_Movers(field, set) AT(hf_profile, field), AT(hf_profile, set),
#define AT_Inside(field, set) AT(hf_profile, field), AT(hf_profile, set),
#define AT_BpfMask(field, ...) AT(hf_profile, field),
#define AT_Count(field, ...) AT(hf_profile, field),
#define AT_Bytes(field, ...) AT(hf_profile, field),
#define AT_LabelNames(field)
#define AT_LabelFlag(field) AT(hf_profile, field),
#define AT_MarkName(field)
#define AT_Runtimes(field)

const std::map<std::string, Layout>& layouts() {
  static const std::map<std::string, Layout> all = {
      {"hf_profile",
       {sizeof(hf_profile),
        {
#define HF_KEY(type, field, key, decides, needs, rule, kind, fallback, ...) \
  AT_##type(field __VA_OPT__(, ) __VA_ARGS__)
#include "policy/keys.def"
            AT(hf_profile, socket_count), AT(hf_profile, socket_first), AT(hf_profile, bpf_ruled),
            AT(hf_profile, label_ruled), AT(hf_profile, label_rule), AT(hf_profile, bpf_quotas),
            AT(hf_profile, rules)}}},
      {"hf_mover_set", {sizeof(hf_mover_set), {AT(hf_mover_set, bits)}}},
      {"hf_label_match",
       {sizeof(hf_label_match),
        {AT(hf_label_match, name), AT(hf_label_match, kind), AT(hf_label_match, value)}}},
      {"hf_socket_rule",
       {sizeof(hf_socket_rule),
        {AT(hf_socket_rule, ops), AT(hf_socket_rule, families), AT(hf_socket_rule, verdict),
         AT(hf_socket_rule, own_count), AT(hf_socket_rule, peer_count), AT(hf_socket_rule, rule),
         AT(hf_socket_rule, rate_tokens), AT(hf_socket_rule, rate_period_ns),
         AT(hf_socket_rule, rate_burst), AT(hf_socket_rule, own), AT(hf_socket_rule, peer)}}},
      {"hf_tables",
       {sizeof(hf_tables),
        {AT(hf_tables, magic), AT(hf_tables, version), AT(hf_tables, length),
         AT(hf_tables, profile_count), AT(hf_tables, generation), AT(hf_tables, mover_set_count),
         AT(hf_tables, socket_rule_count), AT(hf_tables, label_name_count),
         AT(hf_tables, label_value_count), AT(hf_tables, any_visitors_deny),
         AT(hf_tables, any_cgroup_rules), AT(hf_tables, any_socket_rules),
         AT(hf_tables, any_visitors_hold), AT(hf_tables, profiles), AT(hf_tables, mover_sets),
         AT(hf_tables, socket_rules)}}},
      {"hf_request",
       {sizeof(hf_request),
        {AT(hf_request, op), AT(hf_request, via), AT(hf_request, flags), AT(hf_request, subject),
         AT(hf_request, object), AT(hf_request, held_owner), AT(hf_request, target_owner),
         AT(hf_request, subject_set), AT(hf_request, held_set), AT(hf_request, target_set),
         AT(hf_request, held_types), AT(hf_request, ns_types), AT(hf_request, src_chain),
         AT(hf_request, dst_chain), AT(hf_request, sock_op), AT(hf_request, sock_family),
         AT(hf_request, bpf_value), AT(hf_request, own_labels), AT(hf_request, peer_labels)}}},
      {"hf_verdict",
       {sizeof(hf_verdict),
        {AT(hf_verdict, action), AT(hf_verdict, mode), AT(hf_verdict, log), AT(hf_verdict, reason),
         AT(hf_verdict, profile), AT(hf_verdict, rule), AT(hf_verdict, error),
         AT(hf_verdict, set)}}},
      {"hf_task",
       {sizeof(hf_task),
        {AT(hf_task, pid), AT(hf_task, tgid), AT(hf_task, uid), AT(hf_task, comm)}}},
      {"hf_event",
       {sizeof(hf_event),
        {AT(hf_event, version), AT(hf_event, length), AT(hf_event, id), AT(hf_event, time_ns),
         AT(hf_event, generation), AT(hf_event, session), AT(hf_event, repeats),
         AT(hf_event, source), AT(hf_event, target), AT(hf_event, actor), AT(hf_event, object),
         AT(hf_event, verdict), AT(hf_event, request)}}},
  };
  return all;
}

// The build directory: this program is BUILD/tests/unit/NAME.
std::filesystem::path build_directory() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path();
}

std::vector<std::string> objects() {
  std::vector<std::string> found;
  for (const char* folder : {"skel/bpf", "tests/bpf"}) {
    for (const auto& entry : std::filesystem::directory_iterator(build_directory() / folder)) {
      if (entry.path().string().ends_with(".bpf.o")) found.push_back(entry.path().string());
    }
  }
  return found;
}

// Which of our structures the object has; each must be as ours.
int check_object(const std::string& path) {
  btf* types = btf__parse_elf(path.c_str(), nullptr);
  EXPECT_NE(types, nullptr) << path;
  if (types == nullptr) return 0;
  int found = 0;
  for (const auto& [name, layout] : layouts()) {
    const int id = btf__find_by_name_kind(types, name.c_str(), BTF_KIND_STRUCT);
    if (id < 0) continue;
    const btf_type* type = btf__type_by_id(types, static_cast<__u32>(id));
    EXPECT_EQ(type->size, layout.size) << path << " " << name;
    const btf_member* members = btf_members(type);
    std::size_t listed = 0;
    for (unsigned i = 0; i < btf_vlen(type); i++) {
      const std::string field = btf__name_by_offset(types, members[i].name_off);
      if (field.starts_with("pad")) continue;
      listed++;
      const auto at = layout.offsets.find(field);
      EXPECT_TRUE(at != layout.offsets.end()) << path << " " << name << "." << field;
      if (at == layout.offsets.end()) continue;
      EXPECT_EQ(btf_member_bit_offset(type, i), at->second * 8)
          << path << " " << name << "." << field;
    }
    EXPECT_EQ(listed, layout.offsets.size()) << path << " " << name;
    found++;
  }
  btf__free(types);
  return found;
}

TEST(Layout, IsTheSameInEveryObject) {
  int most = 0;
  for (const std::string& path : objects()) most = std::max(most, check_object(path));
  EXPECT_EQ(most, static_cast<int>(layouts().size())) << "no object has all structures";
}

}  // namespace
