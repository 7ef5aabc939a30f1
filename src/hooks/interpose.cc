// SPDX-License-Identifier: Apache-2.0
// bpf_program__attach() and skeletons call a handler registered with libbpf. Two functions do not.
// bpf_program__attach_lsm() would attach one copy without an enforcer, and bpf_link__pin() can pin
// only one descriptor. So the functions below replace libbpf's. In the shared library they have the
// same names, and the dynamic linker takes the first definition. In the static library the linker
// option --wrap replaces them. libbpf itself is unchanged.
#include "hooks/interpose.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "hooks/hooks_kernel.h"
#include "hooks/hooks_link.h"
#include "hooks/registry.h"

#ifdef HOLDFAST_HOOKS_SHARED
#define OURS(name) name
#else
#define OURS(name) __wrap_##name
extern "C" {
// The names that --wrap gives to libbpf's own functions. Null in a program linked without --wrap.
int __real_bpf_object__load(bpf_object* object) __attribute__((weak));
int __real_bpf_object__load_skeleton(bpf_object_skeleton* skeleton) __attribute__((weak));
int __real_bpf_link__pin(bpf_link* link, const char* path) __attribute__((weak));
int __real_bpf_link__unpin(bpf_link* link) __attribute__((weak));
}
#endif

namespace holdfast::hooks {
namespace {

constexpr const char* kLabelReader = "bpf_sock_read_xattr";

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

// libbpf's error names the missing kernel function. This warning adds which kernels have it.
int explain(const bpf_object* object, int error) {
  if (error == 0 || !imports(object, kLabelReader)) return error;
  const auto& kernel = running_kernel();
  if (!kernel || kernel->reads_labels) return error;
  warn(
      std::string(kLabelReader) +
      ": needs Linux 7.3: BPF programs of this kernel cannot read the labels of a socket. There is "
      "no replacement, because an older kernel has no complete copy of a socket's labels. An "
      "object that declares it without __weak does not load");
  return error;
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
