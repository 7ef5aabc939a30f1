// SPDX-License-Identifier: Apache-2.0
// Maps and links that stay on a BPF filesystem after the process that made them.
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

// Makes the directory and those above it, mode 0700. Errors: ENOTSUP when it does not lie on a BPF
// filesystem, with what to mount; else of mkdir(2).
[[nodiscard]] Result<void> make_pin_directory(const std::string& directory);

// An exclusive lock on a directory, held until the descriptor is closed. Errors: EWOULDBLOCK
// somebody else holds it.
[[nodiscard]] Result<Fd> lock_directory(const std::string& directory);

// Is it a directory of pins that its path alone leads to? What a symbolic link leads to can be
// another directory at the next look. Nothing there is none. Errors: ELOOP a symbolic link is on
// the way; ENOTSUP not on a BPF filesystem; of open(2).
[[nodiscard]] Result<bool> is_pin_directory(const std::string& directory);

// A dot may not be in the name of a pin. Errors: of bpf(2).
[[nodiscard]] Result<void> pin_bpf(int fd, const std::string& path);
[[nodiscard]] Result<Fd> open_pinned(const std::string& path);
// A map, to look at only. Errors: of bpf(2).
[[nodiscard]] Result<Fd> open_pinned_for_reading(const std::string& path);
// Errors: of unlink(2); not ENOENT.
[[nodiscard]] Result<void> remove_pin(const std::string& path);
// The directory and every pin in it.
[[nodiscard]] Result<void> remove_pin_directory(const std::string& directory);

// Names in a directory, sorted. Nothing when it is not there.
[[nodiscard]] Result<std::vector<std::string>> names_in(const std::string& directory);

// What a descriptor is of.
enum class BpfKind { program, map, link };
struct BpfId {
  BpfKind kind;
  std::uint32_t id = 0;
  std::uint32_t program = 0;  // of a link
};
// Errors: EINVAL when it is none of them.
[[nodiscard]] Result<BpfId> bpf_id(int fd);

struct MapShape {
  std::uint32_t type = 0;
  std::uint32_t key_bytes = 0;
  std::uint32_t value_bytes = 0;
  std::uint32_t max_entries = 0;
  bool operator==(const MapShape&) const = default;
};
// Errors: EINVAL when it is not a map.
[[nodiscard]] Result<MapShape> map_shape(int map_fd);
[[nodiscard]] Result<std::uint32_t> map_entries(int map_fd);

struct LinkShape {
  std::uint32_t program_id = 0;
  std::uint32_t type = 0;  // BPF_LINK_TYPE_*
  std::string program;     // its name, at most 15 bytes
};
// Errors: EINVAL when it is not a link; ENOENT when its program is gone.
[[nodiscard]] Result<LinkShape> link_shape(int link_fd);
[[nodiscard]] Result<std::uint64_t> inode_number(const std::string& path);

// A sysctl program on the root of the whole hierarchy. It stays until it is detached by a
// descriptor of that very program, whoever ends.
[[nodiscard]] Result<void> attach_sysctl_program(int program_fd);
[[nodiscard]] Result<void> detach_sysctl_program(int program_fd);

// Waits until the kernel has let go of a program that nobody holds. A link has no number any more
// before its program is detached. Errors: ETIMEDOUT after 5 s.
[[nodiscard]] Result<void> wait_for_program_end(std::uint32_t id);

// The map that an array of maps holds at index 0. Errors: ENOENT none.
[[nodiscard]] Result<Fd> inner_map(int outer_fd);

// The value of a mappable array, shared with the programs.
class MappedValue {
 public:
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
