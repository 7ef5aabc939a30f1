// SPDX-License-Identifier: Apache-2.0
// A handler registered with libbpf is asked by bpf_program__attach() and by skeletons, but not by
// bpf_program__attach_lsm(), which would attach one copy and nothing that enforces, nor by
// bpf_link__pin(), which can keep one descriptor. So these stand before libbpf's own: in the shared
// library by their names, as the dynamic linker takes the first it finds; in the static one by the
// linker's --wrap. The rest of libbpf does not notice.
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
// What --wrap calls libbpf's own; null in a program that was linked without.
int __real_bpf_object__load(bpf_object* object) __attribute__((weak));
int __real_bpf_object__load_skeleton(bpf_object_skeleton* skeleton) __attribute__((weak));
int __real_bpf_link__pin(bpf_link* link, const char* path) __attribute__((weak));
int __real_bpf_link__unpin(bpf_link* link) __attribute__((weak));
}
#endif

namespace holdfast::hooks {
namespace {

constexpr const char* kLabelReader = "bpf_sock_read_xattr";

// libbpf's own function of a name.
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

// libbpf has made an ordinary function of it by now; nobody defines one of this name.
bool imports(const bpf_object* object, const char* function) {
  const btf* types = object != nullptr ? bpf_object__btf(object) : nullptr;
  return types != nullptr && btf__find_by_name_kind(types, function, BTF_KIND_FUNC) > 0;
}

// libbpf names a function that the kernel does not have; not since when there is one, nor what to
// do.
int explain(const bpf_object* object, int error) {
  if (error == 0 || !imports(object, kLabelReader)) return error;
  const auto& kernel = running_kernel();
  if (!kernel || kernel->reads_labels) return error;
  warn(std::string(kLabelReader) +
       ": this kernel's programs cannot read the labels of a socket, from Linux 7.3 on they can, "
       "and nothing can stand in for it: no older kernel has a copy of a socket's labels that is "
       "known to be complete. An object that declares it without __weak does not load");
  return error;
}

}  // namespace

bool stands_before_libbpf() {
  reached = false;
  int (*volatile load)(bpf_object*) = bpf_object__load;  // not to be seen through
  load(nullptr);                                         // EINVAL
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

// libbpf's two functions for LSM and for tracing programs are one.
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
