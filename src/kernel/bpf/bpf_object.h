// SPDX-License-Identifier: Apache-2.0
// BPF objects, their maps and links, through libbpf.
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

namespace holdfast::kernel {

struct CloseBpfObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
struct DestroyBpfLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using BpfLink = std::unique_ptr<bpf_link, DestroyBpfLink>;

// One compiled object: opened, then loaded. Owns its programs and the maps it made. One thread.
class BpfObject {
 public:
  // Parses the bytes, which are copied. Errors: EINVAL, ENOMEM.
  static Result<BpfObject> open(std::span<const std::byte> bytes, std::string name);

  // Programs that this kernel or this policy has no use for are not loaded. Before load().
  void keep_programs(const std::function<bool(const bpf_program*)>& wanted);
  // Programs that attach() leaves alone. Before load().
  void leave_unattached(const std::function<bool(const bpf_program*)>& left);
  // As the function of this name. Before load().
  Result<void> make_maps_unprintable();
  // What a map of global data holds when it is loaded. Before load(). EINVAL: no such map of this
  // size.
  Result<void> set_initial_value(const char* map, const void* value, std::size_t bytes);
  // Before load(). EINVAL: no such map.
  Result<void> set_max_entries(const char* map, std::uint32_t entries);
  // Errors: what the verifier said, with its last line as the detail; EPERM without privilege.
  Result<void> load();
  // Attaches every loaded program whose section says where. On error the links made so far are in
  // `links`.
  Result<void> attach(std::vector<BpfLink>& links) const;

  // -1: no such map or program.
  [[nodiscard]] int map_fd(const char* map) const;
  [[nodiscard]] int program_fd(const char* program) const;
  [[nodiscard]] bpf_program* program(const char* name) const;

 private:
  BpfObject(bpf_object* object, std::string name) : object_(object), name_(std::move(name)) {}

  std::unique_ptr<bpf_object, CloseBpfObject> object_;
  std::string name_;
};

// Makes the object's maps without the types of what they hold: to whoever opens the file of a pinned
// map of known type, the kernel prints all of it (bpffs_map_open() in kernel/bpf/inode.c), and asks
// no hook of BPF's. Left as they are: maps of other kinds, which are not printed; those whose values
// have a lock, which need their types; global data. Before it is loaded. Errors: of bpf(2).
Result<void> make_maps_unprintable(bpf_object* object);

// For programs of cgroup types. The link, not the cgroup, keeps it attached.
Result<BpfLink> attach_to_cgroup(bpf_program* program, int cgroup_fd);

// Runs a SEC("syscall") program in the calling thread. Errors: what the kernel says; EIO when the
// program returned anything but 0.
Result<void> run_bpf_program(int program_fd, std::string_view name);

// Runs a SEC("tc") program on a packet of these bytes, 14 or more. What it returns.
Result<std::uint32_t> ask_bpf_program(int program_fd, const void* packet, std::size_t bytes);

// Everything that a task iterator writes, for the task with this thread id (0: all tasks).
Result<std::vector<std::byte>> read_task_iterator(bpf_program* iterator, pid_t tid);

// A ring buffer of records. Owns its mapping; borrows the map.
class BpfRing {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;
  static Result<std::unique_ptr<BpfRing>> create(int map_fd, Sink sink);
  ~BpfRing();
  BpfRing(const BpfRing&) = delete;
  BpfRing& operator=(const BpfRing&) = delete;

  [[nodiscard]] int poll_fd() const;
  // Hands over whatever is there, without waiting.
  Result<void> consume();

 private:
  explicit BpfRing(Sink sink) : sink_(std::move(sink)) {}
  static int deliver(void* self, void* data, std::size_t bytes);

  Sink sink_;
  ring_buffer* ring_ = nullptr;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BPF_OBJECT_H
