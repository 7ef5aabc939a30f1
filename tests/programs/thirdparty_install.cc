// SPDX-License-Identifier: Apache-2.0
// Loads thirdparty_install.bpf.o as any program that uses libbpf would, and shows that it enforces
// on every kind of namespace, that its side effects happen once, and that it can be detached.
//
//     thirdparty_install                     the skeleton
//     thirdparty_install OBJECT              an object file, and bpf_program__attach()
//     thirdparty_install OBJECT attach_lsm   the same, and bpf_program__attach_lsm()
//     thirdparty_preloaded OBJECT dlsym      the same, by libbpf's own, which has to fail
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <sys/mman.h>

#include <filesystem>
#include <vector>

#include "bpf/thirdparty_install.skel.h"
#ifndef THIRDPARTY_PRELOADED
#include "holdfast/hooks.h"
#endif
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;

struct Event {
  unsigned inum, flags, pid;
  int verdict;
};
std::vector<Event> received;

int receive(void*, void* data, std::size_t) {
  received.push_back(*static_cast<Event*>(data));
  return 0;
}

// The object's global variables as the skeleton declares them, for every loader.
using Globals = std::remove_pointer_t<decltype(thirdparty_install_bpf::bss)>;

struct Loaded {
  bpf_object* object = nullptr;
  thirdparty_install_bpf* skeleton = nullptr;
  std::vector<bpf_link*> links;
  Globals* globals = nullptr;
};

bpf_map* map_ending(bpf_object* object, const std::string& end) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (std::string(bpf_map__name(map)).ends_with(end)) return map;
  }
  return nullptr;
}

bool load(Loaded& loaded, const char* path, bool as_lsm) {
  if (path == nullptr) {
    loaded.skeleton = thirdparty_install_bpf__open_and_load();
    if (loaded.skeleton == nullptr) return false;
    loaded.object = loaded.skeleton->obj;
    loaded.globals = loaded.skeleton->bss;
    return thirdparty_install_bpf__attach(loaded.skeleton) == 0;
  }
  loaded.object = bpf_object__open_file(path, nullptr);
  if (loaded.object == nullptr || bpf_object__load(loaded.object) != 0) return false;
  const int globals_fd = bpf_map__fd(map_ending(loaded.object, ".bss"));
  void* globals = mmap(nullptr, sizeof(Globals), PROT_READ | PROT_WRITE, MAP_SHARED, globals_fd, 0);
  if (globals == MAP_FAILED) return false;
  loaded.globals = static_cast<Globals*>(globals);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, loaded.object) {
    bpf_link* link = as_lsm ? bpf_program__attach_lsm(program) : bpf_program__attach(program);
    if (link == nullptr) return false;
    loaded.links.push_back(link);
  }
  return true;
}

#ifdef THIRDPARTY_PRELOADED  // a static program has no libbpf.so
// A loader that looks libbpf's function up for itself gets an error, and not a copy that enforces nothing.
void try_past_the_library(const char* path) {
  bpf_object* object = bpf_object__open_file(path, nullptr);
  if (!check(object != nullptr && bpf_object__load(object) == 0, "the object loads")) return;
  void* libbpf = dlopen("libbpf.so.1", RTLD_LAZY | RTLD_NOLOAD);
  const auto attach_lsm = reinterpret_cast<bpf_link* (*)(const bpf_program*)>(
      libbpf != nullptr ? dlsym(libbpf, "bpf_program__attach_lsm") : nullptr);
  if (!check(attach_lsm != nullptr, "libbpf's own function is found")) return;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    errno = 0;
    bpf_link* link = attach_lsm(program);
    check(link == nullptr && errno == EBADF,
          std::string("not attached: ") + bpf_program__name(program));
    bpf_link__destroy(link);
    for (const bpf_attach_type type :
         {BPF_LSM_MAC, BPF_TRACE_FENTRY, BPF_TRACE_FEXIT, BPF_TRACE_ITER, BPF_MODIFY_RETURN}) {
      const int fd = bpf_link_create(bpf_program__fd(program), 0, type, nullptr);
      check(fd < 0, "nor by its descriptor, as type " + std::to_string(type));
      if (fd >= 0) close(fd);
    }
    const int raw = bpf_raw_tracepoint_open(nullptr, bpf_program__fd(program));
    check(raw < 0, "nor as a raw tracepoint");
    if (raw >= 0) close(raw);
  }
  const int fd = new_namespace(kTypes[0]);
  is(setns_errno(fd, CLONE_NEWUTS), 0, "a namespace is entered: nothing is attached");
  close(fd);
  bpf_object__close(object);
}
#endif

void detach(Loaded& loaded) {
  if (loaded.skeleton != nullptr) thirdparty_install_bpf__detach(loaded.skeleton);
  for (bpf_link* link : loaded.links) bpf_link__destroy(link);
}

// What setns() fails with where a program returns -EACCES. Callers of a stand-in know only EPERM.
int errno_of_eacces() {
  static const int number = kernel_has("bpf_lsm_namespace_install") ? EACCES : EPERM;
  return number;
}

void try_type(const Loaded& loaded, const Type& type, int denied_fd, ring_buffer* ring) {
  const std::string name = type.name;
  const int fd = new_namespace(type);
  if (!check(fd >= 0, "a new namespace: " + name)) return;
  const unsigned inum = inum_of(fd);
  const auto enter = [&] { return in_child([fd, &type] { return setns_errno(fd, type.flag); }); };

  unsigned long long before = loaded.globals->calls;
  unsigned long long second_before = loaded.globals->second_calls;
  ring_buffer__consume(ring);
  received.clear();
  is(enter(), 0, name + ": an allowed setns works");
  is(static_cast<long long>(loaded.globals->calls - before), 1, name + ": the program ran once");
  is(static_cast<long long>(loaded.globals->second_calls - second_before), 1,
     name + ": so did the second");
  is(loaded.globals->last_inum, inum, name + ": it read the namespace");
  is(loaded.globals->last_flags, type.flag, name + ": it read the nsset");
  is(loaded.globals->last_ret, 1000, name + ": it read the result before it");
  ring_buffer__consume(ring);
  check(received.size() == 1 && received[0].inum == inum && received[0].verdict == 0,
        name + ": one event arrived");

  const unsigned one = 1;
  bpf_map_update_elem(denied_fd, &inum, &one, BPF_ANY);
  is(enter(), EPERM, name + ": a refused setns fails");
  is(in_child([fd] { return setns_errno(fd, 0); }), EPERM, name + ": also without saying the type");
  is(in_child([fd] { return setns_errno_by_number_of_64_bits(fd); }), EPERM,
     name + ": by a number of 64 bits");
  is(in_child([fd] { return setns_errno_by_int80(fd); }), EPERM,
     name + ": and by the 32-bit entry");
  bpf_map_delete_elem(denied_fd, &inum);
  is(enter(), 0, name + ": allowed again, it works");
  loaded.globals->second_denies = inum;
  is(enter(), errno_of_eacces(), name + ": the second program refuses alone");
  loaded.globals->second_denies = 0;
  is(in_child([fd, &type] {
       for (int i = 0; i < 50; i++) {
         if (type.flag != CLONE_NEWUSER && setns(fd, type.flag) != 0) return errno;
       }
       return 0;
     }),
     0, name + ": fifty in a row work");
  close(fd);
}

// A verdict that gets lost is a refusal. The second program's would allow.
void try_without_room(int denied_fd, int fd, unsigned inum) {
  bpf_map_delete_elem(denied_fd, &inum);
  {
    const NoRoom no_room;
    check(no_room.full(), "no room for verdicts");
    is(in_child([fd] { return setns_errno(fd, 0); }), EPERM, "refused for want of a verdict");
  }
  is(in_child([fd] { return setns_errno(fd, 0); }), 0, "with room it works again");
  const unsigned one = 1;
  bpf_map_update_elem(denied_fd, &inum, &one, BPF_ANY);
}

constexpr const char* kPin = "/sys/fs/bpf/thirdparty_link";

bool try_pin(bpf_link* link) {
  is(bpf_link__pin(link, kPin), 0, "its link can be pinned");
  is(bpf_link__pin(link, kPin), -EBUSY, "once");
  check(bpf_link__pin_path(link) != nullptr && std::string(bpf_link__pin_path(link)) == kPin,
        "and says where");
  is(bpf_link__unpin(link), 0, "unpinned");
  check(access(kPin, F_OK) != 0, "and gone");
  return check(bpf_link__pin(link, kPin) == 0, "and pinned again");
}

// The kernel lets go of what a file pinned a moment after it is removed.
void unpin_as_anybody_would(int fd, const Loaded& loaded) {
  std::filesystem::remove_all(kPin);
  for (int i = 0; i < 100; i++) {
    const unsigned long long before = loaded.globals->calls;
    const bool free = in_child([fd] { return setns_errno(fd, 0); }) == 0;
    if (free && loaded.globals->calls == before) return;
    usleep(20000);
  }
}

}  // namespace

int main(int argc, char** argv) {
#ifdef THIRDPARTY_PRELOADED  // a second build of this file has no word of holdfast in it
  if (argc > 2 && std::string(argv[2]) == "dlsym") {
    try_past_the_library(argv[1]);
    return tap_end();
  }
#else
  is(holdfast_hooks_enable(), 0, "the hooks are enabled");
#endif
  Loaded loaded;
  if (!check(load(loaded, argc > 1 ? argv[1] : nullptr, argc > 2), "the object loads and attaches"))
    return tap_end();
  const int denied_fd = bpf_object__find_map_fd_by_name(loaded.object, "denied");
  ring_buffer* ring = ring_buffer__new(bpf_object__find_map_fd_by_name(loaded.object, "events"),
                                       receive, nullptr, nullptr);
  check(ring != nullptr, "its ring buffer opens");
  for (const Type& type : kTypes) try_type(loaded, type, denied_fd, ring);

  const int fd = new_namespace(kTypes[0]);
  const unsigned inum = inum_of(fd);
  const unsigned one = 1;
  bpf_map_update_elem(denied_fd, &inum, &one, BPF_ANY);
  is(in_child([fd] { return setns_errno(fd, 0); }), EPERM, "refused before it is detached");
  if (!kernel_has("bpf_lsm_namespace_install")) try_without_room(denied_fd, fd, inum);
  bpf_link* first =
      loaded.skeleton != nullptr ? loaded.skeleton->links.first_install : loaded.links.front();
  const bool pinned = try_pin(first);
  const unsigned long long before = loaded.globals->calls;
  detach(loaded);
  if (pinned) {
    is(in_child([fd] { return setns_errno(fd, 0); }), EPERM, "a pinned link goes on refusing");
    check(loaded.globals->calls > before, "and its program runs");
    unpin_as_anybody_would(fd, loaded);
  }
  const unsigned long long after = loaded.globals->calls;
  is(in_child([fd] { return setns_errno(fd, 0); }), 0, "free after it is detached");
  is(static_cast<long long>(loaded.globals->calls - after), 0, "and the program does not run");
  return tap_end();
}
