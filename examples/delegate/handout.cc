// SPDX-License-Identifier: Apache-2.0
// handout PID OPTIONS: delegates BPF privileges to the user namespace of a process, and prints what
// that means.
//
//     handout 4242 delegate_cmds=map_create:prog_load,delegate_maps=array
//
// Exits 0; 1: it failed; 2: the options are not valid; 77: the kernel has no BPF tokens.
#include <holdfast/delegate.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace {

int complain(int status, const std::string& message) {
  std::fprintf(stderr, "handout: %s\n", message.c_str());
  return status;
}

void list(const char* title, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) std::printf("%s: %s\n", title, line.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  namespace api = holdfast::delegation;
  if (argc != 3) return complain(2, "usage: handout PID OPTIONS");
  const auto set = api::parse_options(argv[2]);
  if (!set) return complain(2, set.error().message);

  const api::Explanation what = api::explain(*set);
  list("may", what.may);
  list("lacks", what.lacking);
  list("reaches beyond its holder", what.reaches);

  const auto mounted = api::mount(std::atoi(argv[1]), *set);
  if (!mounted) return complain(mounted.error().code == ENOSYS ? 77 : 1, mounted.error().message);
  std::printf("mounted: %s\n", mounted->c_str());
  return 0;
}
