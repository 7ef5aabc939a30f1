// SPDX-License-Identifier: Apache-2.0
#ifndef HOLDFAST_KERNEL_BPF_MAP_KEYS_H
#define HOLDFAST_KERNEL_BPF_MAP_KEYS_H

#include <cstddef>
#include <vector>

namespace holdfast::kernel {

// The keys of a hash map, each in its turn:
//
//   __u64 key = 0;
//   for (MapKeys keys(map_fd, sizeof(key)); keys.next(&key);) ...
//
// The key after it is known before a key is returned, so that entry may be deleted. Entries that others
// add or delete meanwhile may be left out, or come twice. The descriptor is borrowed. One thread.
class MapKeys {
 public:
  MapKeys(int map_fd, std::size_t key_bytes);
  // Copies the next key to `key`, which has room for `key_bytes`. False: there is none, or the map
  // cannot be read.
  bool next(void* key);
  [[nodiscard]] bool done() const { return !more_; }

 private:
  int map_fd_;
  std::vector<std::byte> next_;
  bool more_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_BPF_MAP_KEYS_H
