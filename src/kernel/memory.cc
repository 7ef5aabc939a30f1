// SPDX-License-Identifier: Apache-2.0
#include "kernel/memory.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/system_error.h"

namespace holdfast::kernel {

void trim_memory() { ::malloc_trim(0); }

Result<Fd> make_memory_file(std::string_view bytes) {
  Fd file(::memfd_create("holdfast", MFD_CLOEXEC));
  if (!file) return system_error("memfd_create");
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return file;
}

Result<std::string> read_memory_file(int fd, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("pread");
    if (got == 0) return Error{EPROTO, "read", {}, "it is too short"};
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace holdfast::kernel
