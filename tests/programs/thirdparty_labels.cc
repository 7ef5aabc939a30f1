// SPDX-License-Identifier: Apache-2.0
// Objects of others that read labels of sockets, unmodified.
//
//     thirdparty_labels            a skeleton, and the object as bytes
//     thirdparty_labels OBJECT     the kernel's own selftest of the function (progs/sock_read_xattr.c)
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "bpf/thirdparty_labels.skel.h"
#include "bpf/thirdparty_labels_weak.skel.h"
#include "holdfast/hooks.h"
#include "programs/thirdparty_tap.h"

namespace {

using namespace thirdparty;

int connect_errno(int fd) {
  const sockaddr_un nobody{.sun_family = AF_UNIX, .sun_path = "/nobody"};
  return connect(fd, reinterpret_cast<const sockaddr*>(&nobody), sizeof nobody) == 0 ? 0 : errno;
}

// ---- an object of our own ------------------------------------------------------------------------

void try_answers(thirdparty_labels_bpf* skeleton) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  auto* state = skeleton->bss;
  is(connect_errno(fd), ENOENT, "a socket without a label may connect");
  is(state->last_length, -ENODATA, "it has none");
  is(fsetxattr(fd, "user.varlink", "client", 6, 0), 0, "it gets one");
  is(connect_errno(fd), EPERM, "with it, it may not");
  is(state->last_length, 6, "its length");
  is(fsetxattr(fd, "user.varlink", "server", 6, 0), 0, "it gets another value");
  is(connect_errno(fd), ENOENT, "with that, it may");
  is(fsetxattr(fd, "user.varlink", "0123456789abcdefg", 17, 0), 0, "it gets a long value");
  connect_errno(fd);
  is(state->last_length, -ERANGE, "which has no room");
  is(fsetxattr(fd, "user.varlink", "", 0, 0), 0, "it gets an empty value");
  connect_errno(fd);
  is(state->last_length, 0, "which is no bytes");
  is(state->long_length, -ENODATA, "a long name that it does not have");
  is(state->trusted_length, -EPERM, "a name that is no label's");
  is(state->null_length, -EINVAL, "no room at all");
  const std::string name = "user.a-name-that-is-longer-than-thirty-one-bytes";
  is(fsetxattr(fd, (name + "2").c_str(), "wrong", 5, 0), 0,
     "a longer name that begins in the same way");
  connect_errno(fd);
  is(state->long_length, -ENODATA, "is another one");
  is(fsetxattr(fd, name.c_str(), "right", 5, 0), 0, "the long name itself");
  connect_errno(fd);
  is(state->long_length, 5, "is found");
  is(fremovexattr(fd, "user.varlink"), 0, "a label is removed");
  connect_errno(fd);
  is(state->last_length, -ENODATA, "it has gone");
  close(fd);
}

void try_skeleton() {
  printed.clear();
  thirdparty_labels_bpf* skeleton = thirdparty_labels_bpf__open_and_load();
  if (!check(skeleton != nullptr && thirdparty_labels_bpf__attach(skeleton) == 0,
             "a skeleton loads and attaches")) {
    std::printf("# %s\n", printed.substr(0, 4000).c_str());
    return;
  }
  skeleton->bss->monitored = static_cast<unsigned>(getpid());
  try_answers(skeleton);
  thirdparty_labels_bpf__destroy(skeleton);
}

void try_weak() {
  printed.clear();
  thirdparty_labels_weak_bpf* skeleton = thirdparty_labels_weak_bpf__open_and_load();
  if (!check(skeleton != nullptr && thirdparty_labels_weak_bpf__attach(skeleton) == 0,
             "an object that tests whether the function exists loads")) {
    std::printf("# %s\n", printed.substr(0, 4000).c_str());
    return;
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  skeleton->bss->monitored = static_cast<unsigned>(getpid());
  fsetxattr(fd, "user.varlink", "client", 6, 0);
  connect_errno(fd);
  is(skeleton->data->exists, 1, "it does");
  is(skeleton->bss->last_length, 6, "and reads the label");
  close(fd);
  thirdparty_labels_weak_bpf__destroy(skeleton);
}

// A socket that may be freed meanwhile.
void try_untrusted() {
  thirdparty_labels_bpf* skeleton = thirdparty_labels_bpf__open();
  if (!check(skeleton != nullptr,
             "an object with a program for a socket that is not trusted opens"))
    return;
  bpf_program__set_autoload(skeleton->progs.not_trusted, true);
  check(thirdparty_labels_bpf__load(skeleton) != 0, "and is refused when it is loaded");
  thirdparty_labels_bpf__destroy(skeleton);
}

// As bytes and by the name of a file, which libbpf opens by different functions.
void try_plain() {
  std::size_t size = 0;
  const void* bytes = thirdparty_labels_bpf__elf_bytes(&size);
  bpf_object* object = bpf_object__open_mem(bytes, size, nullptr);
  is(object == nullptr ? -errno : bpf_object__load(object), 0, "the object as bytes loads");
  bpf_object__close(object);
  const char* path = "/tmp/labels.bpf.o";
  std::ofstream(path, std::ios::binary)
      .write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  object = bpf_object__open_file(path, nullptr);
  is(object == nullptr ? -errno : bpf_object__load(object), 0, "and as a file");
  check(object != nullptr && bpf_object__name(object) == std::string("labels"),
        "whose name is as ever");
  bpf_object__close(object);
}

// Where sockets have no labels that programs can read.
void try_refusal() {
  printed.clear();
  check(thirdparty_labels_bpf__open_and_load() == nullptr,
        "a skeleton is refused when it is loaded");
  if (!check(printed.find("holdfast-hooks: bpf_sock_read_xattr: before Linux 7.1") !=
                 std::string::npos,
             "the message says why"))
    std::printf("# %s\n", printed.substr(0, 4000).c_str());
  thirdparty_labels_weak_bpf* skeleton = thirdparty_labels_weak_bpf__open_and_load();
  if (!check(skeleton != nullptr && thirdparty_labels_weak_bpf__attach(skeleton) == 0,
             "an object that tests whether the function exists loads"))
    return;
  skeleton->bss->monitored = static_cast<unsigned>(getpid());
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  connect_errno(fd);
  is(skeleton->data->exists, 0, "it does not");
  close(fd);
  thirdparty_labels_weak_bpf__destroy(skeleton);
}

// Goes by what the kernel does.
holdfast_hook_state expected_state() {
  if (kernel_has("bpf_sock_read_xattr")) return HOLDFAST_HOOK_NATIVE;
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const bool has_labels = fsetxattr(fd, "user.varlink", "client", 6, 0) == 0;
  close(fd);
  return has_labels ? HOLDFAST_HOOK_BRIDGED : HOLDFAST_HOOK_UNAVAILABLE;
}

// ---- the kernel's selftest -----------------------------------------------------------------------

// The values of a section of the loaded object, shared with its programs; null: there is none.
char* values_of(const bpf_object* object, const char* section) {
  const bpf_map* map = bpf_object__find_map_by_name(object, section);
  if (map == nullptr) return nullptr;
  void* values = mmap(nullptr, static_cast<std::size_t>(getpagesize()), PROT_READ | PROT_WRITE,
                      MAP_SHARED, bpf_map__fd(map), 0);
  return values == MAP_FAILED ? nullptr : static_cast<char*>(values);
}

// A variable of the loaded object; null: it has none of this name.
template <typename T>
T* variable(const bpf_object* object, const char* section, const std::string& name) {
  const btf* types = bpf_object__btf(object);
  const int id = btf__find_by_name_kind(types, section, BTF_KIND_DATASEC);
  char* values = values_of(object, section);
  if (id < 0 || values == nullptr) return nullptr;
  const btf_type* variables = btf__type_by_id(types, static_cast<unsigned>(id));
  for (int i = 0; i < btf_vlen(variables); i++) {
    const btf_var_secinfo& entry = btf_var_secinfos(variables)[i];
    const btf_type* type = btf__type_by_id(types, entry.type);
    if (name == btf__name_by_offset(types, type->name_off))
      return reinterpret_cast<T*>(values + entry.offset);
  }
  return nullptr;
}

void try_selftest(const char* path) {
  bpf_object* object = bpf_object__open_file(path, nullptr);
  const int loaded = object == nullptr ? -errno : bpf_object__load(object);
  for (const char* program :
       {"trusted_sock_ptr_sleepable", "trusted_sock_ptr_non_sleepable", "read_sock_xattr"})
    check(loaded == 0 && bpf_object__find_program_by_name(object, program) != nullptr,
          std::string(program) + " loads");
  if (loaded != 0) {
    std::printf("# %s\n", printed.substr(0, 4000).c_str());
    return;
  }
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const char value[] = "bpf_sock_value";
  is(fsetxattr(fd, "user.bpf_test", value, sizeof value, 0), 0, "fsetxattr");
  auto* monitored = variable<unsigned>(object, ".bss", "monitored_pid");
  const auto* read_value = variable<char>(object, ".bss", "value");
  const auto* read_ret = variable<int>(object, ".data", "read_ret");
  bpf_link* link = bpf_program__attach(bpf_object__find_program_by_name(object, "read_sock_xattr"));
  if (check(monitored != nullptr && read_value != nullptr && read_ret != nullptr && link != nullptr,
            "attach read_sock_xattr")) {
    *monitored = static_cast<unsigned>(getpid());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(1234);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    is(*read_ret, sizeof value, "read_ret");
    check(std::strcmp(read_value, value) == 0, "value");
  }
  bpf_link__destroy(link);
  close(fd);
  bpf_object__close(object);
}

}  // namespace

int main(int argc, char** argv) {
  libbpf_set_print(collect);
  is(holdfast_hooks_enable(), 0, "the hooks are enabled");
  holdfast_hook_status labels = {};
  is(holdfast_hooks_label_status(&labels), 0, "the labels have a status");
  const holdfast_hook_state state = expected_state();
  is(labels.state, state, std::string(labels.hook) + ": " + labels.how);
  if (state == HOLDFAST_HOOK_UNAVAILABLE) {
    try_refusal();
  } else if (argc > 1) {
    try_selftest(argv[1]);
  } else {
    try_skeleton();
    try_weak();
    try_untrusted();
    try_plain();
  }
  return tap_end();
}
