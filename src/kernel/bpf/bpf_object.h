// SPDX-License-Identifier: Apache-2.0
// Loads BPF objects and uses their maps, links and ring buffers, with libbpf.
#ifndef HOLDFAST_KERNEL_BPF_BPF_OBJECT_H
#define HOLDFAST_KERNEL_BPF_BPF_OBJECT_H

#include <bpf/libbpf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/bpf/btf.h"

namespace holdfast::kernel {

struct CloseBpfObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
struct DestroyBpfLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using BpfLink = std::unique_ptr<bpf_link, DestroyBpfLink>;

// One compiled object: opened, then loaded. Owns its programs and the maps that it created. All of
// this file is for one thread, because the text of libbpf's last warning is a global.
//
// A program may have variants for kernels that pass other arguments (kernel/bpf/prototype.h). All
// functions below take and give the name without variant; after load() it means the variant that
// was loaded.
class BpfObject {
 public:
  // Parses `bytes`, which libbpf copies. `name` is the object's name in errors. Errors: of
  // bpf_object__open_mem(), such as EINVAL and ENOMEM.
  static Result<BpfObject> open(std::span<const std::byte> bytes, std::string name);

  // load() loads only the programs for which `wanted` returns true. Call before load().
  void select_programs(const std::function<bool(const bpf_program*)>& wanted);
  // attach() skips the programs for which `skipped` returns true. Call before load().
  void leave_unattached(const std::function<bool(const bpf_program*)>& skipped);
  // Makes the entries of a hash when they are added, not with the map. Call before load(). Errors:
  // EINVAL, no such map.
  Result<void> allocate_on_demand(const char* map);
  // Calls make_maps_unprintable() for this object. Call before load().
  Result<void> make_maps_unprintable();
  // Sets the initial contents of a map of global data. Copies `bytes` bytes. Call before load().
  // Errors: ENOENT, no such map; EINVAL, another size.
  Result<void> set_initial_value(const char* map, const void* value, std::size_t bytes);
  // The initial contents of a map of global data, to be changed before load(). Borrowed; empty: no
  // such map.
  [[nodiscard]] std::span<std::byte> initial_value(const char* map) const;
  // Uses an existing map instead of creating one; the descriptor is borrowed and duplicated. Call
  // before load(). Errors: EINVAL, no such map; of bpf(2).
  Result<void> reuse_map(const char* map, int fd);
  // Call before load(). Errors: EINVAL, no such map.
  Result<void> set_max_entries(const char* map, std::uint32_t entries);
  // Checks first that the kernel passes the arguments that the programs read. `types` are those of
  // the running kernel; without them, load() reads them if it needs them.
  // Errors: of fit_programs(); ENOENT, the kernel has no type information; of bpf(2), with the last
  // line of the verifier's log as detail; EPERM without privilege.
  Result<void> load();
  Result<void> load(const KernelTypes& types);
  // Attaches every loaded LSM or tracing program, except task iterators and programs excluded by
  // leave_unattached(). Appends the links to `links`. After an error, `links` has the links that
  // were made. Errors: of bpf(2).
  Result<void> attach(std::vector<BpfLink>& links) const;

  // Attaches one loaded program. Errors: ENOENT, no such program; of bpf(2).
  [[nodiscard]] Result<BpfLink> attach_program(const char* program) const;

  // The names of all maps, in the order of the object. Those of global data begin with the name of
  // the object; the kernel keeps at most 15 bytes of them.
  [[nodiscard]] std::vector<std::string> map_names() const;
  // What the object says about a map. Meaningless without such a map.
  [[nodiscard]] MapShape map_shape(const char* map) const;
  // Borrowed descriptors; negative: no such map or program.
  [[nodiscard]] int map_fd(const char* map) const;
  [[nodiscard]] int program_fd(const char* program) const;
  // Borrowed; null: no such program.
  [[nodiscard]] bpf_program* program(const char* name) const;

 private:
  BpfObject(bpf_object* object, std::string name) : object_(object), name_(std::move(name)) {}

  Result<void> load_fitted();

  std::unique_ptr<bpf_object, CloseBpfObject> object_;
  std::string name_;
};

// Creates the object's maps without type information for keys and values. When a process reads the
// file of a pinned map with type information, the kernel prints all entries (bpffs_map_open() in
// kernel/bpf/inode.c) and calls no LSM hook of BPF. Three kinds of maps are not changed: maps of
// kinds that the kernel does not print, maps whose values contain a lock and need their types, and
// global data. Call before the object is loaded. Errors: of bpf(2).
Result<void> make_maps_unprintable(bpf_object* object);

// Attaches a program of a cgroup type. The program stays attached as long as the link exists.
// Errors: of bpf(2).
Result<BpfLink> attach_to_cgroup(bpf_program* program, int cgroup_fd);

// Runs a SEC("syscall") program in the calling thread. `name` is for errors. Errors: of bpf(2)
// (BPF_PROG_TEST_RUN); EIO, the program did not return 0.
Result<void> run_bpf_program(int program_fd, std::string_view name);

// Runs a SEC("tc") program on a packet of `bytes` bytes, at least 14. Returns the program's return
// value. Errors: of bpf(2) (BPF_PROG_TEST_RUN).
Result<std::uint32_t> test_run_bpf_program(int program_fd, const void* packet, std::size_t bytes);

// Runs a task iterator for the task with this thread id (0: all tasks). Returns all its output.
// Errors: of bpf(2), read(2).
Result<std::vector<std::byte>> read_task_iterator(bpf_program* iterator, pid_t tid);

// Reads a BPF ring buffer. Owns its mapping; borrows the map. One thread.
class BpfRing {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;
  // `sink` is called for each record; the bytes are borrowed until it returns. Errors: of
  // ring_buffer__new().
  static Result<std::unique_ptr<BpfRing>> create(int map_fd, Sink sink);
  ~BpfRing();
  BpfRing(const BpfRing&) = delete;
  BpfRing& operator=(const BpfRing&) = delete;

  // Borrowed, for poll(2): readable when records are available.
  [[nodiscard]] int poll_fd() const;
  // Calls the sink for all available records. Does not wait. Errors: of ring_buffer__consume().
  Result<void> consume();

 private:
  explicit BpfRing(Sink sink) : sink_(std::move(sink)) {}
  static int deliver(void* self, void* data, std::size_t bytes);

  Sink sink_;
  ring_buffer* ring_ = nullptr;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BPF_OBJECT_H
