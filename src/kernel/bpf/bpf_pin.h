// SPDX-License-Identifier: Apache-2.0
// Pins maps and links on a BPF file system, where they outlive the process that made them.
#ifndef HOLDFAST_KERNEL_BPF_BPF_PIN_H
#define HOLDFAST_KERNEL_BPF_BPF_PIN_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// Mounts the BPF file system at /sys/fs/bpf, for root alone, if none is there. Errors: of mount(2).
[[nodiscard]] Result<void> mount_bpf_filesystem();

// Creates the directory and its missing parents, with mode 0700. `directory` is absolute. Errors:
// ENOTSUP, it is not on a BPF file system (the detail has the mount command); of mkdir(2).
[[nodiscard]] Result<void> make_pin_directory(const std::string& directory);

// Locks a directory exclusively with flock(2), until the descriptor is closed. Does not wait.
// Errors: EWOULDBLOCK, another process has the lock; of open(2).
[[nodiscard]] Result<Fd> lock_directory(const std::string& directory);

// Whether `directory` is a directory on a BPF file system, and its path has no symbolic link. The
// target of a link could be another directory at the next call. False: it does not exist. Errors:
// ELOOP, the path has a symbolic link; ENOTDIR; ENOTSUP, not on a BPF file system; of open(2).
[[nodiscard]] Result<bool> is_pin_directory(const std::string& directory);

// Pins a map, program or link; the descriptor is borrowed. The file name must not contain a dot.
// Errors: of bpf(2).
[[nodiscard]] Result<void> pin_bpf(int fd, const std::string& path);
// Opens a pin. Errors: of bpf(2).
[[nodiscard]] Result<Fd> open_pinned(const std::string& path);
// Opens a pinned map with read-only access (BPF_F_RDONLY). Errors: of bpf(2).
[[nodiscard]] Result<Fd> open_pinned_for_reading(const std::string& path);
// Succeeds when the pin does not exist. Errors: of unlink(2).
[[nodiscard]] Result<void> remove_pin(const std::string& path);
// Removes the directory and every pin in it. Succeeds when it does not exist. Errors: of unlink(2),
// rmdir(2), directory_entries().
[[nodiscard]] Result<void> remove_pin_directory(const std::string& directory);

// The names in a directory, sorted. Empty when it does not exist. Errors: of opendir(3),
// readdir(3).
[[nodiscard]] Result<std::vector<std::string>> directory_entries(const std::string& directory);

// The kind of object that a descriptor refers to.
enum class BpfKind { program, map, link };
struct BpfId {
  BpfKind kind;
  std::uint32_t id = 0;
  std::uint32_t program = 0;  // only for a link: the id of its program
};
// Errors: EINVAL, the descriptor refers to none of these kinds; of bpf(2).
[[nodiscard]] Result<BpfId> bpf_id(int fd);

struct MapShape {
  std::uint32_t type = 0;
  std::uint32_t key_bytes = 0;
  std::uint32_t value_bytes = 0;
  std::uint32_t max_entries = 0;
  bool operator==(const MapShape&) const = default;
};
// Errors: EINVAL, not a map; of bpf(2).
[[nodiscard]] Result<MapShape> map_shape(int map_fd);

struct LinkShape {
  std::uint32_t program_id = 0;
  std::uint32_t type = 0;  // BPF_LINK_TYPE_*
  std::string program;     // its name, at most 15 bytes
};
// Errors: EINVAL, not a link; ENOENT, its program does not exist any more; of bpf(2).
[[nodiscard]] Result<LinkShape> link_shape(int link_fd);
// The inode number of a file, by stat(2). Errors: of stat(2).
[[nodiscard]] Result<std::uint64_t> inode_number(const std::string& path);

// Attaches a sysctl program to the root cgroup. It stays attached after the end of this process,
// until detach_sysctl_program() with a descriptor of the same program. Detaching succeeds when the
// program is not attached. Errors: of open_whole_cgroup_hierarchy(), bpf(2).
[[nodiscard]] Result<void> attach_sysctl_program(int program_fd);
[[nodiscard]] Result<void> detach_sysctl_program(int program_fd);

// Waits until the kernel has freed a program whose references were all dropped. The id of a link
// disappears before its program is detached; the id of the program disappears after that. Errors:
// ETIMEDOUT, the program still exists after 5 s.
[[nodiscard]] Result<void> wait_for_program_end(std::uint32_t id);

// The map at index 0 of an array of maps. Errors: ENOENT, none; of bpf(2).
[[nodiscard]] Result<Fd> inner_map(int outer_fd);

// A shared, writable mapping of the values of an array map with BPF_F_MMAPABLE. The BPF programs
// access the same memory at the same time. The destructor unmaps it.
class MappedValue {
 public:
  // Errors: of mmap(2).
  [[nodiscard]] static Result<MappedValue> map(int map_fd, std::size_t bytes);
  [[nodiscard]] void* data() const { return data_.get(); }

 private:
  struct Unmap {
    std::size_t bytes = 0;
    void operator()(void* data) const;
  };
  explicit MappedValue(void* data, std::size_t bytes) : data_(data, Unmap{bytes}) {}
  std::unique_ptr<void, Unmap> data_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_BPF_PIN_H
