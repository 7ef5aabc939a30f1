// SPDX-License-Identifier: Apache-2.0
#include "kernel/bpf/map_keys.h"

#include <bpf/bpf.h>

#include <cstring>

namespace holdfast::kernel {

MapKeys::MapKeys(int map_fd, std::size_t key_bytes)
    : map_fd_(map_fd),
      next_(key_bytes),
      more_(bpf_map_get_next_key(map_fd, nullptr, next_.data()) == 0) {}

bool MapKeys::next(void* key) {
  if (!more_) return false;
  std::memcpy(key, next_.data(), next_.size());
  more_ = bpf_map_get_next_key(map_fd_, key, next_.data()) == 0;
  return true;
}

}  // namespace holdfast::kernel
