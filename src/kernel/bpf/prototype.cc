// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf/prototype.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace holdfast::kernel {
namespace {

constexpr std::string_view kVariant = "__";
constexpr std::string_view kFlavour = "___";
constexpr std::string_view kArguments = "arguments";
constexpr std::string_view kArgumentsAndResult = "arguments_and_result";
constexpr std::string_view kUnread = "hf_unread";
constexpr std::string_view kMaybe = "hf_maybe_bool";
constexpr std::size_t kKeptBytes = 15;

// A type and the type information that it belongs to.
struct Type {
  const btf* types = nullptr;
  __u32 id = 0;

  [[nodiscard]] const btf_type* get() const { return btf__type_by_id(types, id); }
  [[nodiscard]] std::string_view name() const {
    const char* text = id == 0 ? nullptr : btf__name_by_offset(types, get()->name_off);
    return text != nullptr ? text : "";
  }
  [[nodiscard]] Type next() const { return {types, get()->type}; }
};

bool is_transparent(const btf_type* type) { return btf_is_mod(type) || btf_is_typedef(type); }

// Without qualifiers and typedefs. The kernel accepts no cycles in type information.
Type plain(Type type) {
  while (type.id != 0 && type.get() != nullptr && is_transparent(type.get())) type = type.next();
  return type;
}

std::string_view without_flavour(std::string_view name) {
  return name.substr(0, std::min(name.find(kFlavour), name.size()));
}

bool is_integer(const btf_type* type) { return btf_is_int(type) || btf_is_any_enum(type); }
bool is_record(const btf_type* type) { return btf_is_composite(type) || btf_is_fwd(type); }
bool is_union(const btf_type* type) {
  return btf_is_union(type) || (btf_is_fwd(type) && btf_kflag(type));
}

bool is_unread(Type pointee) {
  pointee = plain(pointee);
  return pointee.id != 0 && is_record(pointee.get()) && pointee.name() == kUnread;
}

bool is_same(Type a, Type b);

bool is_same_pointee(Type a, Type b) {
  a = plain(a);
  b = plain(b);
  if (a.id == 0 || b.id == 0) return a.id == b.id;
  if (!is_record(a.get()) || !is_record(b.get())) {
    if (btf_is_func_proto(a.get())) return btf_is_func_proto(b.get());
    return is_same(a, b);
  }
  const std::string_view name = without_flavour(a.name());
  return !name.empty() && name == without_flavour(b.name()) &&
         is_union(a.get()) == is_union(b.get());
}

// Structs that are passed by value are no argument that a program may read.
bool is_same(Type a, Type b) {
  a = plain(a);
  b = plain(b);
  if (a.id == 0 || b.id == 0) return false;
  if (is_integer(a.get())) return is_integer(b.get()) && a.get()->size == b.get()->size;
  if (!btf_is_ptr(a.get()) || !btf_is_ptr(b.get())) return false;
  if (is_unread(a.next()) || is_unread(b.next())) return true;
  return is_same_pointee(a.next(), b.next());
}

std::string text_of(Type type) {
  if (type.id == 0) return "void";
  const btf_type* t = type.get();
  if (t == nullptr) return "?";
  if (btf_is_mod(t)) return text_of(type.next());
  if (btf_is_ptr(t)) {
    if (is_unread(type.next())) return "any pointer";
    const std::string pointee = text_of(type.next());
    return pointee + (pointee.ends_with('*') ? "*" : " *");
  }
  const std::string name(without_flavour(type.name()));
  if (is_union(t)) return "union " + name;
  if (is_record(t)) return "struct " + name;
  if (btf_is_any_enum(t)) return "enum " + name;
  if (btf_is_func_proto(t)) return "function";
  return name;
}

bool is(Type type, const ArgumentType& stated) {
  type = plain(type);
  if (type.id == 0) return false;
  if (stated.record == nullptr) return is_integer(type.get()) && type.get()->size == stated.bytes;
  if (!btf_is_ptr(type.get())) return false;
  const Type pointee = plain(type.next());
  return pointee.id != 0 && is_record(pointee.get()) && !is_union(pointee.get()) &&
         pointee.name() == stated.record;
}

std::string text_of(const ArgumentType& stated) {
  if (stated.record != nullptr) return "struct " + std::string(stated.record) + " *";
  if (stated.bytes == 0) return "any";
  return std::to_string(stated.bytes) + "-byte integer";
}

// The kernel's side: a function, or the function type of a tracepoint.
struct Target {
  std::string name;  // of the BTF_KIND_FUNC or the BTF_KIND_TYPEDEF
  __u32 kind = 0;
  std::size_t skipped = 0;  // parameters in front that programs do not get
  bool has_result = false;  // to be read
};

// name empty: a program of another kind.
Target target_of(std::string_view section) {
  struct Kind {
    std::string_view section;
    const char* prefix;
    __u32 kind;
    std::size_t skipped;
    bool has_result;
  };
  constexpr Kind kKinds[] = {{"lsm/", "bpf_lsm_", BTF_KIND_FUNC, 0, true},
                             {"lsm.s/", "bpf_lsm_", BTF_KIND_FUNC, 0, true},
                             {"fentry/", "", BTF_KIND_FUNC, 0, false},
                             {"fentry.s/", "", BTF_KIND_FUNC, 0, false},
                             {"fexit/", "", BTF_KIND_FUNC, 0, true},
                             {"fexit.s/", "", BTF_KIND_FUNC, 0, true},
                             {"fmod_ret/", "", BTF_KIND_FUNC, 0, true},
                             {"fmod_ret.s/", "", BTF_KIND_FUNC, 0, true},
                             {"tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF, 1, false}};
  if (section.starts_with('?')) section.remove_prefix(1);
  for (const Kind& kind : kKinds)
    if (section.starts_with(kind.section))
      return {kind.prefix + std::string(section.substr(kind.section.size())), kind.kind,
              kind.skipped, kind.has_result};
  return {};
}

std::vector<Type> parameters(Type prototype, std::size_t skipped) {
  std::vector<Type> out;
  const btf_param* list = btf_params(prototype.get());
  for (std::size_t i = skipped; i < btf_vlen(prototype.get()); i++)
    out.push_back({prototype.types, list[i].type});
  return out;
}

std::string text_of(std::span<const Type> arguments) {
  std::string text;
  for (const Type& argument : arguments)
    text += (text.empty() ? "" : ", ") +
            (argument.name() == kMaybe ? "perhaps bool" : text_of(argument));
  return "(" + text + ")";
}

// What a program states.
struct Statement {
  std::vector<Type> arguments;
  Type result;  // void: it reads none

  [[nodiscard]] std::string text() const {
    return text_of(arguments) + (result.id != 0 ? " with result " + text_of(result) : "");
  }
};

// What the kernel has.
struct Prototype {
  std::vector<Type> arguments;
  Type result;

  [[nodiscard]] std::string text() const { return text_of(arguments); }
};

bool fits(const Statement& stated, const Prototype& kernel, const Target& target) {
  const std::size_t count = kernel.arguments.size();
  const auto& wanted = stated.arguments;
  if (wanted.empty() && stated.result.id == 0) return true;
  if (wanted.size() < count) return false;
  const auto is_optional = [](const Type& type) { return type.name() == kMaybe; };
  if (!std::all_of(wanted.begin() + static_cast<std::ptrdiff_t>(count), wanted.end(), is_optional))
    return false;
  for (std::size_t i = 0; i < count; i++)
    if (!is_same(wanted[i], kernel.arguments[i])) return false;
  if (stated.result.id == 0) return true;
  // It is read after the last argument.
  return target.has_result && wanted.size() == count && is_same(stated.result, kernel.result);
}

Error unstated(const bpf_program* program) {
  return Error{EINVAL, "check BPF program", bpf_program__name(program),
               "it does not state which arguments it reads"};
}

Result<Statement> statement_of(const btf* types, const bpf_program* program) {
  const int id = btf__find_by_name_kind(types, bpf_program__name(program), BTF_KIND_FUNC);
  if (id <= 0) return unstated(program);
  const Type own = Type{types, static_cast<__u32>(id)}.next();
  if (btf_vlen(own.get()) != 1) return unstated(program);
  const btf_param& parameter = btf_params(own.get())[0];
  const std::string_view name = btf__name_by_offset(types, parameter.name_off);
  Type type{types, parameter.type};
  for (int level = 0; level < 2; level++) {
    if (type.id == 0 || !btf_is_ptr(type.get())) return unstated(program);
    type = type.next();
  }
  if (type.id == 0 || !btf_is_func_proto(type.get())) return unstated(program);
  Statement stated{parameters(type, 1), {}};
  if (name == kArguments) return stated;
  if (name != kArgumentsAndResult || stated.arguments.empty()) return unstated(program);
  stated.result = stated.arguments.back();
  stated.arguments.pop_back();
  return stated;
}

// The ids of the wanted targets by name; 0: the kernel has none. The names are borrowed.
struct Wanted {
  __u32 kind = 0;
  __u32 id = 0;
};
using TargetIds = std::unordered_map<std::string_view, Wanted>;

// One pass: the kernel has some 100,000 types.
void find_targets(const btf* kernel, TargetIds& ids) {
  const __u32 count = btf__type_cnt(kernel);
  for (__u32 id = 1; id < count; id++) {
    const Type type{kernel, id};
    const __u32 kind = btf_kind(type.get());
    if (kind != BTF_KIND_FUNC && kind != BTF_KIND_TYPEDEF) continue;
    const auto found = ids.find(type.name());
    if (found != ids.end() && found->second.kind == kind && found->second.id == 0)
      found->second.id = id;
  }
}

Result<Prototype> prototype_of(const btf* kernel, const Target& target, const TargetIds& ids) {
  const auto found = ids.find(target.name);
  const __u32 id = found == ids.end() ? 0 : found->second.id;
  if (id == 0)
    return Error{ENOTSUP, "attach to the kernel", target.name, "the kernel has no such function"};
  Type type = Type{kernel, id}.next();
  if (type.id != 0 && btf_is_ptr(type.get())) type = type.next();  // of a tracepoint
  if (type.id == 0 || !btf_is_func_proto(type.get()) || btf_vlen(type.get()) < target.skipped)
    return Error{ENOTSUP, "attach to the kernel", target.name, "it is not a function"};
  return Prototype{parameters(type, target.skipped), {kernel, type.get()->type}};
}

struct Group {
  bpf_program* program = nullptr;
  Target target;
  std::vector<bpf_program*> variants;
};

Target target_of(const bpf_program* program) {
  return target_of(bpf_program__section_name(program));
}

// The programs by their names without variants.
std::vector<Group> groups_of(bpf_object* object) {
  std::vector<Group> groups;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const std::string_view name = bpf_program__name(program);
    if (name == name_without_variant(name)) groups.push_back({program, target_of(program), {}});
  }
  bpf_object__for_each_program(program, object) {
    const std::string_view name = bpf_program__name(program);
    if (name == name_without_variant(name)) continue;
    for (Group& group : groups)
      if (bpf_program__name(group.program) == name_without_variant(name))
        group.variants.push_back(program);
  }
  return groups;
}

bool is_to_be_checked(const Group& group) {
  return bpf_program__autoload(group.program) && !group.target.name.empty();
}

Result<void> fit(const Group& group, const btf* own, const btf* kernel, const TargetIds& ids) {
  const Target& target = group.target;
  HF_TRY_ASSIGN(const auto prototype, prototype_of(kernel, target, ids));
  std::vector<bpf_program*> candidates = {group.program};
  candidates.insert(candidates.end(), group.variants.begin(), group.variants.end());
  std::string expected;
  for (bpf_program* candidate : candidates) {
    HF_TRY_ASSIGN(const auto stated, statement_of(own, candidate));
    expected += (expected.empty() ? "" : " or ") + stated.text();
    if (!fits(stated, prototype, target)) continue;
    if (candidate == group.program) return {};
    bpf_program__set_autoload(candidate, true);
    bpf_program__set_autoattach(candidate, bpf_program__autoattach(group.program));
    bpf_program__set_autoload(group.program, false);
    return {};
  }
  return Error{ENOTSUP, "attach to the kernel", target.name,
               std::string(bpf_program__name(group.program)) + " expects " + expected +
                   ", the kernel has " + prototype.text()};
}

}  // namespace

std::string_view name_without_variant(std::string_view program) {
  const std::size_t end = program.find(kVariant, 1);
  return program.substr(0, std::min(end, program.size()));
}

bool is_kept_name(std::string_view kept, std::string_view program) {
  if (kept == program.substr(0, kKeptBytes)) return true;
  const std::string variant = std::string(program).append(kVariant).substr(0, kKeptBytes);
  return kept.starts_with(variant);
}

bool reads_arguments(const bpf_object* object) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) if (bpf_program__autoload(program) &&
                                                    !target_of(program).name.empty()) return true;
  return false;
}

Result<void> fit_programs(bpf_object* object, const btf* kernel) {
  const std::vector<Group> groups = groups_of(object);
  TargetIds ids;
  for (const Group& group : groups) {
    for (bpf_program* variant : group.variants) bpf_program__set_autoload(variant, false);
    if (is_to_be_checked(group))
      ids.emplace(group.target.name, Wanted{.kind = group.target.kind, .id = 0});
  }
  if (ids.empty()) return {};
  find_targets(kernel, ids);
  const btf* own = bpf_object__btf(object);
  for (const Group& group : groups) {
    if (!is_to_be_checked(group)) continue;
    if (own == nullptr) return unstated(group.program);
    HF_TRY(fit(group, own, kernel, ids));
  }
  return {};
}

Result<void> check_prototype(const btf* kernel, const std::string& function,
                             std::span<const ArgumentType> arguments, ArgumentType result) {
  const Target target{.name = function, .kind = BTF_KIND_FUNC};
  const int id = btf__find_by_name_kind(kernel, function.c_str(), BTF_KIND_FUNC);
  const TargetIds ids = {
      {target.name, {.kind = BTF_KIND_FUNC, .id = id > 0 ? static_cast<__u32>(id) : 0}}};
  HF_TRY_ASSIGN(const auto prototype, prototype_of(kernel, target, ids));
  const bool returns_it =
      (result.record == nullptr && result.bytes == 0) || is(prototype.result, result);
  const bool takes_them = std::equal(
      arguments.begin(), arguments.end(), prototype.arguments.begin(), prototype.arguments.end(),
      [](const ArgumentType& stated, const Type& type) { return is(type, stated); });
  if (returns_it && takes_them) return {};
  std::string expected;
  for (const ArgumentType& argument : arguments)
    expected += (expected.empty() ? "" : ", ") + text_of(argument);
  return Error{ENOTSUP, "attach to the kernel", function,
               text_of(result) + " (" + expected + ") is expected, the kernel has " +
                   text_of(prototype.result) + " " + prototype.text()};
}

bool is_same_argument(const btf* a, __u32 type_a, const btf* b, __u32 type_b) {
  return is_same({a, type_a}, {b, type_b});
}

std::string prototype_text(const btf* types, __u32 type_id) {
  return text_of(parameters({types, type_id}, 0));
}

}  // namespace holdfast::kernel
