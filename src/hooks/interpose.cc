// SPDX-License-Identifier: Apache-2.0
// bpf_program__attach() and skeletons call a handler registered with libbpf. Other functions do not.
// bpf_program__attach_lsm() would attach one copy without an enforcer, and bpf_link__pin() can pin
// only one descriptor. An object that imports bpf_sock_read_xattr() is opened with that function
// linked to it. So the functions below replace libbpf's. In the shared library they have the same
// names, and the dynamic linker takes the first definition. In the static library the linker option
// --wrap replaces them. libbpf itself is unchanged.
#include "hooks/interpose.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/label_list.skel.h"
#include "hooks/hooks_kernel.h"
#include "hooks/hooks_link.h"
#include "hooks/label_reader.h"
#include "hooks/registry.h"

#ifdef HOLDFAST_HOOKS_SHARED
#define OURS(name) name
#else
#define OURS(name) __wrap_##name
extern "C" {
// The names that --wrap gives to libbpf's own functions. Null in a program linked without --wrap.
bpf_object* __real_bpf_object__open_file(const char* path, const bpf_object_open_opts* options)
    __attribute__((weak));
bpf_object* __real_bpf_object__open_mem(const void* bytes, size_t size,
                                        const bpf_object_open_opts* options) __attribute__((weak));
int __real_bpf_object__open_skeleton(bpf_object_skeleton* skeleton,
                                     const bpf_object_open_opts* options) __attribute__((weak));
int __real_bpf_object__load(bpf_object* object) __attribute__((weak));
int __real_bpf_object__load_skeleton(bpf_object_skeleton* skeleton) __attribute__((weak));
int __real_bpf_link__pin(bpf_link* link, const char* path) __attribute__((weak));
int __real_bpf_link__unpin(bpf_link* link) __attribute__((weak));
}
#endif

namespace holdfast::hooks {
namespace {

// The function of this name in libbpf itself.
#ifdef HOLDFAST_HOOKS_SHARED
template <typename Function>
Function* find_real(const char* name, Function*) {
  static void* const libbpf = dlopen("libbpf.so.1", RTLD_LAZY | RTLD_NOLOAD);
  return libbpf == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(libbpf, name));
}
#define REAL(name) holdfast::hooks::find_real(#name, &(name))
#else
#define REAL(name) __real_##name
#endif

thread_local bool reached = false;

// Whether the object declares the kernel function `function`. libbpf has converted the declaration
// to an ordinary function type by now, and no object defines a function of this name.
bool imports(const bpf_object* object, const char* function) {
  const btf* types = object != nullptr ? bpf_object__btf(object) : nullptr;
  return types != nullptr && btf__find_by_name_kind(types, function, BTF_KIND_FUNC) > 0;
}

// libbpf's error names the missing kernel function. This warning adds the reason.
int explain(const bpf_object* object, int error) {
  if (error == 0 || !imports(object, kLabelReader.data())) return error;
  const auto& kernel = running_kernel();
  if (!kernel || kernel->labels.source == LabelOffer::Source::kKernel) return error;
  if (kernel->labels.source == LabelOffer::Source::kNone)
    warn(std::string(kLabelReader) + ": " + kernel->labels.how +
         ". An object that declares it without __weak does not load");
  return error;
}

// The object as libbpf shall open it: `elf`, or `linked`, which has the function that `elf` imports.
// If it cannot be linked, libbpf refuses to load what it opens, unless the function is __weak.
std::span<const std::byte> with_labels(std::span<const std::byte> elf,
                                       std::vector<std::byte>& linked) {
  if (!is_enabled() || !imports_label_reader(elf)) return elf;
  const auto& kernel = running_kernel();
  if (!kernel || kernel->labels.source != LabelOffer::Source::kList) return elf;
  std::size_t size = 0;
  const void* reader = label_list_bpf__elf_bytes(&size);
  auto made = link_label_reader(elf, {static_cast<const std::byte*>(reader), size});
  if (!made) {
    warn(made.error().message());
    return elf;
  }
  linked = *std::move(made);
  return linked;
}

bpf_object* open_bytes(std::span<const std::byte> elf, const bpf_object_open_opts* options) {
  const auto real = REAL(bpf_object__open_mem);
  if (real != nullptr) return real(elf.data(), elf.size(), options);
  errno = EINVAL;
  return nullptr;
}

// As libbpf names an object that it opens from a file.
std::string name_of(std::string_view path) {
  const std::string_view file = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  return std::string(file.substr(0, std::min<std::size_t>(file.find('.'), BPF_OBJ_NAME_LEN - 1)));
}

// Null, errno 0: libbpf opens the file itself.
bpf_object* open_linked_file(const char* path, const bpf_object_open_opts* options) {
  errno = 0;
  if (path == nullptr || !is_enabled()) return nullptr;
  const auto elf = read_object_file(path);
  if (!elf) return nullptr;  // libbpf reports it
  std::vector<std::byte> linked;
  if (with_labels(*elf, linked).data() == elf->data()) {
    errno = 0;
    return nullptr;
  }
  LIBBPF_OPTS(bpf_object_open_opts, named);
  if (options != nullptr) std::memcpy(&named, options, std::min(options->sz, sizeof named));
  named.sz = sizeof named;
  const std::string name = name_of(path);
  if (named.object_name == nullptr) named.object_name = name.c_str();
  return open_bytes(linked, &named);
}

}  // namespace

bool precedes_libbpf() {
  reached = false;
  int (*volatile load)(bpf_object*) =
      bpf_object__load;  // volatile: the compiler must not inline it
  load(nullptr);         // EINVAL
  return reached;
}

}  // namespace holdfast::hooks

using holdfast::hooks::attach_bridged;
using holdfast::hooks::attachment_of;

extern "C" {

__attribute__((visibility("default"))) bpf_object* OURS(bpf_object__open_file)(
    const char* path, const bpf_object_open_opts* options) {
  bpf_object* linked = holdfast::hooks::open_linked_file(path, options);
  if (linked != nullptr || errno != 0) return linked;
  const auto real = REAL(bpf_object__open_file);
  if (real != nullptr) return real(path, options);
  errno = EINVAL;
  return nullptr;
}

__attribute__((visibility("default"))) bpf_object* OURS(bpf_object__open)(const char* path) {
  return OURS(bpf_object__open_file)(path, nullptr);
}

__attribute__((visibility("default"))) bpf_object* OURS(bpf_object__open_mem)(
    const void* bytes, size_t size, const bpf_object_open_opts* options) {
  std::vector<std::byte> linked;
  const std::span elf(static_cast<const std::byte*>(bytes), bytes == nullptr ? 0 : size);
  return holdfast::hooks::open_bytes(holdfast::hooks::with_labels(elf, linked), options);
}

// libbpf copies what it needs of the bytes.
__attribute__((visibility("default"))) int OURS(bpf_object__open_skeleton)(
    bpf_object_skeleton* skeleton, const bpf_object_open_opts* options) {
  const auto real = REAL(bpf_object__open_skeleton);
  if (real == nullptr) return -EINVAL;
  std::vector<std::byte> linked;
  const std::span own(static_cast<const std::byte*>(skeleton->data), skeleton->data_sz);
  const std::span elf = holdfast::hooks::with_labels(own, linked);
  skeleton->data = elf.data();
  skeleton->data_sz = elf.size();
  const int error = real(skeleton, options);
  skeleton->data = own.data();
  skeleton->data_sz = own.size();
  return error;
}

__attribute__((visibility("default"))) int OURS(bpf_object__load)(bpf_object* object) {
  holdfast::hooks::reached = true;
  const auto real = REAL(bpf_object__load);
  if (object == nullptr || real == nullptr) return -EINVAL;
  return holdfast::hooks::explain(object, real(object));
}

__attribute__((visibility("default"))) int OURS(bpf_object__load_skeleton)(
    bpf_object_skeleton* skeleton) {
  const auto real = REAL(bpf_object__load_skeleton);
  if (real == nullptr) return -EINVAL;
  return holdfast::hooks::explain(*skeleton->obj, real(skeleton));
}

// In libbpf, the functions for LSM and for tracing programs are the same.
__attribute__((visibility("default"))) bpf_link* OURS(bpf_program__attach_lsm)(
    const bpf_program* program) {
  if (holdfast::hooks::is_bridged(program)) return attach_bridged(program);
  return bpf_program__attach_trace(program);
}

__attribute__((visibility("default"))) int OURS(bpf_link__pin)(bpf_link* link, const char* path) {
  if (attachment_of(link)) return holdfast::hooks::pin_link(link, path);
  const auto real = REAL(bpf_link__pin);
  return real == nullptr ? -EINVAL : real(link, path);
}

__attribute__((visibility("default"))) int OURS(bpf_link__unpin)(bpf_link* link) {
  if (attachment_of(link)) return holdfast::hooks::unpin_link(link);
  const auto real = REAL(bpf_link__unpin);
  return real == nullptr ? -EINVAL : real(link);
}
}
