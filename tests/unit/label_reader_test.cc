// SPDX-License-Identifier: Apache-2.0
// Where labels can be read: chosen by the kernel's type information, here made up. And what becomes of objects that read
// them.
#include "hooks/label_reader.h"

#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace holdfast::hooks {
namespace {

using Source = LabelOffer::Source;
using Bytes = std::vector<std::byte>;

// The type information of Linux 7.2, as far as it matters, without what a test leaves out.
class Kernel {
 public:
  explicit Kernel(const std::string& lacking = "") : types_(btf__new_empty(), &btf__free) {
    btf* types = types_.get();
    number_ = btf__add_int(types, "unsigned long", 8, 0);
    const int character = btf__add_int(types, "char", 1, BTF_INT_CHAR);
    pointer_ = btf__add_ptr(types, character);
    const int values = btf__add_array(types, number_, character, 0);
    const int list = record("list_head", {{"next", pointer_}});
    const int socket = record("socket", {{"file", pointer_}});
    const int inode = record("inode", {{"i_ino", number_}});
    record("file", {{"f_inode", pointer_}});
    const int both = record("socket_alloc", {{"socket", socket}, {"vfs_inode", inode}});
    record("simple_xattr", {{"node", list},
                            {"name", pointer_},
                            {"size", lacking == "size" ? pointer_ : number_},
                            {"value", values}});
    if (lacking != "sockfs_inode")
      record("sockfs_inode", {{"xattrs", lacking == "list" ? pointer_ : list}, {"", both}});
    for (const char* name : {"bpf_rcu_read_lock", "bpf_rcu_read_unlock", "bpf_rdonly_cast",
                             "bpf_strcmp", "bpf_dynptr_is_null", "bpf_dynptr_is_rdonly",
                             "bpf_dynptr_size", "bpf_probe_read_kernel_dynptr"})
      if (lacking != name) function(name);
  }

  void function(const char* name) {
    const int prototype = btf__add_func_proto(types_.get(), number_);
    btf__add_func(types_.get(), name, BTF_FUNC_GLOBAL, prototype);
  }
  [[nodiscard]] LabelOffer offer() const { return find_label_offer(types_.get()); }

 private:
  int record(const char* name, const std::vector<std::pair<const char*, int>>& members) {
    const int id = btf__add_struct(types_.get(), name, 1024);
    __u32 bit = 0;
    for (const auto& [member, type] : members) {
      btf__add_field(types_.get(), member, type, bit, 0);
      bit += 64;
    }
    return id;
  }

  std::unique_ptr<btf, decltype(&btf__free)> types_;
  int number_;
  int pointer_;
};

TEST(LabelOffer, IsTheKernelsFunctionWhereItIsThere) {
  Kernel kernel;
  kernel.function("bpf_sock_read_xattr");
  EXPECT_EQ(kernel.offer().source, Source::kKernel);
}

TEST(LabelOffer, IsTheListWhereTheKernelHasOne) {
  EXPECT_EQ(Kernel().offer().source, Source::kList);
}

TEST(LabelOffer, IsNothingWhereSocketsHaveNoLabels) {
  const LabelOffer offer = Kernel("sockfs_inode").offer();
  EXPECT_EQ(offer.source, Source::kNone);
  EXPECT_NE(offer.how.find("7.1"), std::string::npos);
}

TEST(LabelOffer, IsNothingWhereTheListIsAnotherThing) {
  const LabelOffer offer = Kernel("list").offer();
  EXPECT_EQ(offer.source, Source::kNone);
  EXPECT_EQ(offer.how, "struct sockfs_inode is not as expected");
  EXPECT_EQ(Kernel("size").offer().how, "struct simple_xattr is not as expected");
}

TEST(LabelOffer, IsNothingWithoutTheFunctionsThatReadIt) {
  const LabelOffer offer = Kernel("bpf_strcmp").offer();
  EXPECT_EQ(offer.source, Source::kNone);
  EXPECT_NE(offer.how.find("bpf_strcmp"), std::string::npos);
}

Bytes object(const std::string& name) {
  auto bytes = read_object_file((std::string(HOLDFAST_TEST_BPF_DIR) + "/" + name).c_str());
  return bytes ? *std::move(bytes) : Bytes();
}

Bytes reader() {
  auto bytes = read_object_file(HOLDFAST_BPF_DIR "/label_list.bpf.o");
  return bytes ? *std::move(bytes) : Bytes();
}

TEST(LabelReader, IsImportedByObjectsThatDeclareIt) {
  EXPECT_TRUE(imports_label_reader(object("thirdparty_labels.bpf.o")));
  EXPECT_TRUE(imports_label_reader(object("thirdparty_labels_weak.bpf.o")));
  EXPECT_FALSE(imports_label_reader(object("thirdparty_lock.bpf.o")));
  EXPECT_FALSE(imports_label_reader(reader()));
  EXPECT_FALSE(imports_label_reader({}));
}

// No byte outside of what is there is read, whatever the object says of itself.
TEST(LabelReader, DamagedObjectsImportNothingThatIsNotThere) {
  const Bytes whole = object("thirdparty_labels.bpf.o");
  ASSERT_FALSE(whole.empty());
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    static_cast<void>(imports_label_reader(cut));
  }
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    Bytes damaged = whole;
    damaged[at] = std::byte{0xff};
    static_cast<void>(imports_label_reader(damaged));
  }
}

TEST(LabelReader, IsLinkedSoThatTheObjectOpens) {
  for (const char* name : {"thirdparty_labels.bpf.o", "thirdparty_labels_weak.bpf.o"}) {
    const auto linked = link_label_reader(object(name), reader());
    ASSERT_TRUE(linked) << linked.error().message();
    EXPECT_FALSE(imports_label_reader(*linked)) << name;
    bpf_object* opened = bpf_object__open_mem(linked->data(), linked->size(), nullptr);
    EXPECT_NE(opened, nullptr) << name;
    bpf_object__close(opened);
  }
}

TEST(LabelReader, WhatIsNoObjectIsNotLinked) {
  EXPECT_FALSE(link_label_reader({}, reader()));
  EXPECT_FALSE(link_label_reader(Bytes(4096, std::byte{1}), reader()));
}

}  // namespace
}  // namespace holdfast::hooks
