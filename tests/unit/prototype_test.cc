// SPDX-License-Identifier: Apache-2.0
// Every program of every object on made-up kernels: those that pass what it states, and those that
// pass something else.
#include "kernel/bpf/prototype.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace holdfast::kernel {
namespace {

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using Object = std::unique_ptr<bpf_object, CloseObject>;
struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

// The files of all objects of holdfast.
std::vector<std::string> objects() {
  std::vector<std::string> files;
  for (const auto& file : std::filesystem::directory_iterator(HOLDFAST_BPF_DIR))
    if (file.path().extension() == ".o") files.push_back(file.path());
  return files;
}

// What a program is attached to, as it is called in the kernel's type information.
struct Attached {
  std::string function;
  bool tracepoint = false;
  bool operator<(const Attached& other) const { return function < other.function; }
};

Attached attached_to(const bpf_program* program) {
  const std::string section = bpf_program__section_name(program);
  const auto slash = section.find('/');
  const std::string kind = section.substr(0, slash);
  const std::string name = slash == std::string::npos ? "" : section.substr(slash + 1);
  if (kind == "lsm") return {"bpf_lsm_" + name};
  if (kind == "fentry" || kind == "fexit") return {name};
  if (kind == "tp_btf") return {"btf_trace_" + name, true};
  return {};
}

struct Parameters {
  std::vector<int> arguments;  // type ids
  int result = 0;              // 0: void
  bool operator==(const Parameters&) const = default;
};

// What the program states, by type ids of its object.
Parameters stated_by(const btf* types, const std::string& program) {
  const auto type = [types](int id) { return btf__type_by_id(types, static_cast<__u32>(id)); };
  const int function = btf__find_by_name_kind(types, program.c_str(), BTF_KIND_FUNC);
  const btf_param& parameter = btf_params(type(static_cast<int>(type(function)->type)))[0];
  const btf_type* pointer = type(static_cast<int>(parameter.type));
  const btf_type* proto = type(static_cast<int>(type(static_cast<int>(pointer->type))->type));
  Parameters out;
  for (int i = 1; i < btf_vlen(proto); i++)
    out.arguments.push_back(static_cast<int>(btf_params(proto)[i].type));
  if (btf__name_by_offset(types, parameter.name_off) == std::string("arguments_and_result")) {
    out.result = out.arguments.back();
    out.arguments.pop_back();
  }
  return out;
}

// A kernel that passes exactly what the programs of an object state, but for one function.
class Kernel {
 public:
  explicit Kernel(const std::string& file)
      : object_(bpf_object__open_file(file.c_str(), nullptr)), types_(btf__new_empty()) {
    own_ = bpf_object__btf(object_.get());
    offset_ = btf__add_btf(types_.get(), own_) - 1;
    const int other = btf__add_struct(types_.get(), "another", 8);
    another_ = btf__add_ptr(types_.get(), other);
    idmap_ = btf__add_ptr(types_.get(), btf__add_struct(types_.get(), "mnt_idmap", 8));
    task_ = btf__add_ptr(types_.get(), btf__add_struct(types_.get(), "task_struct", 8));
    wide_ = btf__add_int(types_.get(), "wide", 8, 0);
    narrow_ = btf__add_int(types_.get(), "narrow", 2, 0);
  }

  // The functions that the object's programs are attached to.
  [[nodiscard]] std::map<Attached, Parameters> functions() const {
    std::map<Attached, Parameters> all;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get()) {
      const std::string name = bpf_program__name(program);
      const Attached to = attached_to(program);
      if (to.function.empty() || name != name_without_variant(name)) continue;
      Parameters stated = stated_by(own_, name);
      for (int& id : stated.arguments) id += offset_;
      if (stated.result != 0) stated.result += offset_;
      auto& known = all[to];
      if (stated.arguments.size() > known.arguments.size()) known.arguments = stated.arguments;
      if (stated.result != 0) known.result = stated.result;
    }
    return all;
  }

  void add(const Attached& to, const Parameters& parameters) {
    const int anything = btf__add_ptr(types_.get(), 0);
    const int proto = btf__add_func_proto(types_.get(), parameters.result);
    if (to.tracepoint) btf__add_func_param(types_.get(), "", anything);
    for (const int id : parameters.arguments) btf__add_func_param(types_.get(), "x", id);
    if (to.tracepoint) {
      const int pointer = btf__add_ptr(types_.get(), proto);
      btf__add_typedef(types_.get(), to.function.c_str(), pointer);
    } else {
      btf__add_func(types_.get(), to.function.c_str(), BTF_FUNC_GLOBAL, proto);
    }
  }

  // Are the programs that are attached to `only` right on this kernel?
  [[nodiscard]] Result<void> fit(const std::string& only) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get())
        bpf_program__set_autoload(program, attached_to(program).function == only);
    return fit_programs(object_.get(), types_.get());
  }
  [[nodiscard]] std::set<std::string> loaded() const {
    std::set<std::string> names;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get()) if (bpf_program__autoload(program))
        names.insert(bpf_program__name(program));
    return names;
  }

  [[nodiscard]] bool is_named(int id, const std::string& name) const {
    const btf_type* type = btf__type_by_id(types_.get(), static_cast<__u32>(id));
    return name == btf__name_by_offset(types_.get(), type->name_off);
  }
  [[nodiscard]] bool is_unread(int id) const {
    const btf_type* type = btf__type_by_id(types_.get(), static_cast<__u32>(id));
    return btf_is_ptr(type) && type->type != 0 &&
           is_named(static_cast<int>(type->type), "hf_unread");
  }
  // An integer of another size; 0: it is no integer.
  [[nodiscard]] int other_width(int id) const {
    __u32 at = static_cast<__u32>(id);
    const btf_type* type = btf__type_by_id(types_.get(), at);
    while (btf_is_mod(type) || btf_is_typedef(type))
      type = btf__type_by_id(types_.get(), type->type);
    if (!btf_is_int(type)) return 0;
    return type->size == 8 ? narrow_ : wide_;
  }

  int another_ = 0;
  int idmap_ = 0;
  int task_ = 0;

 private:
  Object object_;
  Btf types_;
  const btf* own_ = nullptr;
  int offset_ = 0;
  int wide_ = 0;
  int narrow_ = 0;
};

std::set<std::string> variant_functions() {
  return {"bpf_lsm_inode_permission", "bpf_lsm_inode_create",     "bpf_lsm_inode_link",
          "bpf_lsm_inode_symlink",    "bpf_lsm_inode_mkdir",      "bpf_lsm_inode_mknod",
          "bpf_lsm_inode_setattr",    "cgroup_attach_permissions"};
}

// Calls `change` for each function of each object that has arguments which are read, with a kernel
// that has all the others. Afterwards none of its programs may be loaded.
using Change = std::function<bool(Kernel&, Parameters&)>;
void expect_refused(const Change& change) {
  int changed = 0;
  for (const std::string& file : objects()) {
    for (const auto& entry : Kernel(file).functions()) {
      Kernel kernel(file);
      const std::string function = entry.first.function;
      Parameters parameters = kernel.functions()[entry.first];
      if (parameters.arguments.empty() || !change(kernel, parameters)) continue;
      kernel.add(entry.first, parameters);
      const auto fitted = kernel.fit(function);
      ASSERT_FALSE(fitted) << file << " " << function;
      EXPECT_EQ(fitted.error().code, ENOTSUP) << function;
      EXPECT_EQ(fitted.error().object, function);
      EXPECT_NE(fitted.error().detail.find(" expects ("), std::string::npos)
          << fitted.error().detail;
      EXPECT_NE(fitted.error().detail.find("the kernel has ("), std::string::npos);
      changed++;
    }
  }
  EXPECT_GT(changed, 10);
}

TEST(Prototype, WhatIsStatedFits) {
  EXPECT_GE(objects().size(), 5);
  for (const std::string& file : objects()) {
    Kernel kernel(file);
    for (const auto& [to, parameters] : kernel.functions()) kernel.add(to, parameters);
    for (const auto& entry : kernel.functions()) {
      const auto fitted = kernel.fit(entry.first.function);
      EXPECT_TRUE(fitted) << file << ": " << fitted.error().message();
      EXPECT_FALSE(kernel.loaded().empty());
      for (const std::string& name : kernel.loaded()) EXPECT_EQ(name, name_without_variant(name));
    }
  }
}

TEST(Prototype, AFunctionIsMissing) {
  for (const std::string& file : objects()) {
    Kernel kernel(file);
    for (const auto& entry : kernel.functions()) {
      const auto fitted = kernel.fit(entry.first.function);
      ASSERT_FALSE(fitted) << entry.first.function;
      EXPECT_EQ(fitted.error().code, ENOTSUP);
      EXPECT_EQ(fitted.error().object, entry.first.function);
    }
  }
}

TEST(Prototype, AnArgumentIsInsertedInFront) {
  expect_refused([](Kernel& kernel, Parameters& parameters) {
    parameters.arguments.insert(parameters.arguments.begin(), kernel.another_);
    return true;
  });
}

// Types alone would not show it.
TEST(Prototype, AnArgumentOfTheSameTypeIsInsertedInFront) {
  expect_refused([](Kernel&, Parameters& parameters) {
    parameters.arguments.insert(parameters.arguments.begin(), parameters.arguments.front());
    return true;
  });
}

TEST(Prototype, AnArgumentIsAppended) {
  expect_refused([](Kernel& kernel, Parameters& parameters) {
    parameters.arguments.push_back(kernel.another_);
    return true;
  });
}

TEST(Prototype, TheFirstArgumentIsRemoved) {
  expect_refused([](Kernel& kernel, Parameters& parameters) {
    const bool optional = kernel.is_named(parameters.arguments.front(), "hf_maybe_bool");
    parameters.arguments.erase(parameters.arguments.begin());
    return !optional;
  });
}

TEST(Prototype, TheLastArgumentIsRemoved) {
  expect_refused([](Kernel& kernel, Parameters& parameters) {
    const bool optional = kernel.is_named(parameters.arguments.back(), "hf_maybe_bool");
    parameters.arguments.pop_back();
    return !optional;
  });
}

TEST(Prototype, APointerIsToAnotherStruct) {
  for (std::size_t at = 0; at < 3; at++)
    expect_refused([at](Kernel& kernel, Parameters& parameters) {
      if (at >= parameters.arguments.size() || kernel.is_unread(parameters.arguments[at]))
        return false;
      parameters.arguments[at] = kernel.another_;
      return true;
    });
}

TEST(Prototype, AnIntegerHasAnotherWidth) {
  expect_refused([](Kernel& kernel, Parameters& parameters) {
    for (int& id : parameters.arguments) {
      const int other = kernel.other_width(id);
      if (other == 0) continue;
      id = other;
      return true;
    }
    return false;
  });
}

TEST(Prototype, TheResultHasAnotherType) {
  expect_refused([](Kernel& kernel, Parameters& parameters) {
    if (parameters.result == 0) return false;
    parameters.result = kernel.another_;
    return true;
  });
}

TEST(Prototype, TheVariantThatFitsIsChosen) {
  std::set<std::string> seen;
  for (const std::string& file : objects()) {
    for (const auto& entry : Kernel(file).functions()) {
      const std::string& function = entry.first.function;
      Kernel kernel(file);
      Parameters parameters = kernel.functions()[entry.first];
      parameters.arguments.insert(
          parameters.arguments.begin(),
          function == "cgroup_attach_permissions" ? kernel.task_ : kernel.idmap_);
      kernel.add(entry.first, parameters);
      if (!kernel.fit(function)) {
        EXPECT_FALSE(variant_functions().contains(function)) << file << " " << function;
        continue;
      }
      if (parameters.arguments.size() == 1) continue;  // nothing is read
      seen.insert(function);
      for (const std::string& name : kernel.loaded())
        EXPECT_TRUE(name.ends_with("__after")) << name;
    }
  }
  EXPECT_EQ(seen, variant_functions());
}

// As a program of others that is loaded as one of ours.
TEST(Prototype, AProgramThatStatesNothingIsRefused) {
  const Object object(
      bpf_object__open_file(HOLDFAST_TEST_BPF_DIR "/thirdparty_empty.bpf.o", nullptr));
  ASSERT_TRUE(object);
  const Btf kernel(btf__new_empty());
  btf* types = kernel.get();
  const int number = btf__add_int(types, "int", 4, BTF_INT_SIGNED);
  const int inode = btf__add_ptr(types, btf__add_fwd(types, "inode", BTF_FWD_STRUCT));
  const int proto = btf__add_func_proto(types, number);
  btf__add_func_param(types, "inode", inode);
  btf__add_func_param(types, "mask", number);
  btf__add_func(types, "bpf_lsm_inode_permission", BTF_FUNC_GLOBAL, proto);
  int programs = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    const bool is_it =
        std::string(bpf_program__section_name(program)).ends_with("lsm/inode_permission");
    bpf_program__set_autoload(program, is_it);
    programs += is_it ? 1 : 0;
  }
  ASSERT_EQ(programs, 1);
  EXPECT_TRUE(reads_arguments(object.get()));
  const auto fitted = fit_programs(object.get(), types);
  ASSERT_FALSE(fitted);
  EXPECT_EQ(fitted.error().code, EINVAL);
  EXPECT_EQ(fitted.error().detail, "it does not state which arguments it reads");
}

TEST(Prototype, NamesOfVariants) {
  EXPECT_EQ(name_without_variant("mark_write__after"), "mark_write");
  EXPECT_EQ(name_without_variant("mark_write"), "mark_write");
  EXPECT_TRUE(is_kept_name("mark_write", "mark_write"));
  EXPECT_TRUE(is_kept_name("mark_write__aft", "mark_write"));
  EXPECT_TRUE(is_kept_name("cgroup_enforce_", "cgroup_enforce"));
  EXPECT_TRUE(is_kept_name("cgroup_remove_x", "cgroup_remove_xattr"));
  EXPECT_FALSE(is_kept_name("mark_write_x", "mark_write"));
  EXPECT_FALSE(is_kept_name("cgroup_remove_x", "cgroup_remove"));
}

TEST(Prototype, TextOfTypes) {
  const Btf types(btf__new_empty());
  btf* t = types.get();
  const int number = btf__add_int(t, "int", 4, BTF_INT_SIGNED);
  const int inode = btf__add_struct(t, "inode___x", 8);
  const int constant = btf__add_ptr(t, btf__add_const(t, inode));
  const int twice = btf__add_ptr(t, btf__add_ptr(t, btf__add_fwd(t, "bpf_attr", BTF_FWD_UNION)));
  const int anything = btf__add_ptr(t, 0);
  const int proto = btf__add_func_proto(t, 0);
  btf__add_func_param(t, "a", constant);
  btf__add_func_param(t, "b", number);
  btf__add_func_param(t, "c", twice);
  btf__add_func_param(t, "d", anything);
  EXPECT_EQ(prototype_text(t, static_cast<__u32>(proto)),
            "(struct inode *, int, union bpf_attr **, void *)");
}

TEST(Prototype, SameArguments) {
  const Btf types(btf__new_empty());
  btf* t = types.get();
  const auto same = [t](int a, int b) {
    return is_same_argument(t, static_cast<__u32>(a), t, static_cast<__u32>(b));
  };
  const int number = btf__add_int(t, "int", 4, BTF_INT_SIGNED);
  const int enumeration = btf__add_enum(t, "kind", 4);
  const int record = btf__add_struct(t, "file", 8);
  const int declared = btf__add_fwd(t, "file", BTF_FWD_STRUCT);
  const int of_union = btf__add_fwd(t, "file", BTF_FWD_UNION);
  const int nameless = btf__add_struct(t, "", 8);
  const int pointer = btf__add_ptr(t, record);
  EXPECT_TRUE(same(number, enumeration));
  EXPECT_TRUE(same(number, btf__add_typedef(t, "mode", btf__add_volatile(t, number))));
  EXPECT_TRUE(same(pointer, btf__add_ptr(t, declared)));
  EXPECT_FALSE(same(pointer, btf__add_ptr(t, of_union)));
  EXPECT_FALSE(same(pointer, btf__add_ptr(t, pointer)));
  EXPECT_FALSE(same(pointer, btf__add_ptr(t, 0)));
  EXPECT_FALSE(same(pointer, btf__add_int(t, "long", 8, 0)));
  EXPECT_FALSE(same(record, record));  // by value
  EXPECT_FALSE(same(btf__add_ptr(t, nameless), btf__add_ptr(t, nameless)));
  EXPECT_FALSE(same(0, 0));  // a variable number of arguments
}

}  // namespace
}  // namespace holdfast::kernel
