// SPDX-License-Identifier: Apache-2.0
// Whether a kernel passes what the programs of holdfast's objects read:
//
//   kernel_prototypes BTF-FILE OBJECT-FILE...
//
// One test for each object and for each hook of third parties. A program fails that is attached to a function which the kernel has with other arguments. Of
// functions that the kernel lacks there is a list: other code decides which of them a kernel needs.
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "hooks/hooks_sites.h"
#include "kernel/bpf/prototype.h"
#include "thirdparty_tap.h"

namespace {

using Object = std::unique_ptr<bpf_object, decltype(&bpf_object__close)>;

Object open_object(const char* file) {
  return {bpf_object__open_file(file, nullptr), &bpf_object__close};
}

std::vector<std::string> programs_of(const bpf_object* object) {
  std::vector<std::string> names;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const std::string name = bpf_program__name(program);
    if (name == holdfast::kernel::name_without_variant(name)) names.push_back(name);
  }
  return names;
}

// Whether the program fits; prints what does not, and which variant was chosen.
bool fits(const char* file, const std::string& name, const btf* kernel) {
  const Object object = open_object(file);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get())
      bpf_program__set_autoload(program, bpf_program__name(program) == name);
  const auto fitted = holdfast::kernel::fit_programs(object.get(), kernel);
  if (!fitted) {
    std::printf("# %s: %s\n", name.c_str(), fitted.error().message().c_str());
    return fitted.error().detail == "the kernel has no such function";
  }
  bpf_object__for_each_program(program, object.get()) if (bpf_program__autoload(program) &&
                                                          bpf_program__name(program) != name)
      std::printf("# %s: as %s\n", name.c_str(), bpf_program__name(program));
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "usage: kernel_prototypes BTF-FILE OBJECT-FILE...\n");
    return 2;
  }
  libbpf_set_print(nullptr);
  const std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__parse(arguments[1], nullptr),
                                                          &btf__free);
  if (!kernel) {
    std::fprintf(stderr, "%s: no type information\n", arguments[1]);
    return 1;
  }
  for (int i = 2; i < count; i++) {
    const Object object = open_object(arguments[i]);
    bool all = object != nullptr;
    if (all)
      for (const std::string& name : programs_of(object.get()))
        all = fits(arguments[i], name, kernel.get()) && all;
    thirdparty::check(all, std::string("the kernel passes what is read: ") + arguments[i]);
  }
  for (const holdfast::hooks::Hook hook : holdfast::hooks::kHooks) {
    const auto offer = holdfast::hooks::find_offer(kernel.get(), hook);
    std::printf("# %s\n", offer.how.c_str());
    thirdparty::check(
        offer.state != holdfast::hooks::Offer::State::kUnavailable,
        "the hook is native or bridged: " + std::string(holdfast::hooks::hook_name(hook)));
  }
  return thirdparty::tap_end();
}
