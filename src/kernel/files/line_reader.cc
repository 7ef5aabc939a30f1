// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/line_reader.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace holdfast::kernel {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} * 1024;

}  // namespace

Result<LineReader> LineReader::open(const std::string& path, std::string_view operation,
                                    std::size_t most_bytes) {
  const auto failed = [&](int code) { return Error{code, std::string(operation), path, ""}; };
  LineReader reader;
  reader.fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader.fd_) return failed(errno);
  struct stat status {};
  if (fstat(reader.fd_.get(), &status) != 0) return failed(errno);
  if (S_ISDIR(status.st_mode)) return failed(EISDIR);
  if (S_ISREG(status.st_mode)) reader.size_ = static_cast<std::uint64_t>(status.st_size);
  reader.device_ = status.st_dev;
  reader.inode_ = status.st_ino;
  reader.path_ = path;
  reader.operation_ = operation;
  reader.most_bytes_ = most_bytes;
  return reader;
}

Result<std::optional<std::string_view>> LineReader::next() {
  while (true) {
    const std::size_t end = block_.find('\n', searched_);
    if (end != std::string::npos || (ended_ && at_ < block_.size())) {
      is_whole_ = end != std::string::npos;
      const std::size_t stop = is_whole_ ? end : block_.size();
      const auto line = std::string_view(block_).substr(at_, stop - at_);
      at_ = searched_ = std::min(stop + 1, block_.size());
      number_++;
      return std::optional(line);
    }
    if (ended_) return std::optional<std::string_view>();
    block_.erase(0, at_);
    at_ = 0;
    searched_ = block_.size();
    if (block_.size() > most_bytes_)
      return Error{EFBIG, operation_, path_,
                   fmt::format("line {} has more than {} bytes", number_ + 1, most_bytes_)};
    block_.resize(searched_ + kBlockBytes);
    const ssize_t count = read(fd_.get(), block_.data() + searched_, kBlockBytes);
    const int code = count < 0 ? errno : 0;
    block_.resize(searched_ + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (code == EINTR) continue;
    if (code != 0) return Error{code, operation_, path_, ""};
    ended_ = count == 0;
    bytes_read_ += static_cast<std::uint64_t>(count);
  }
}

}  // namespace holdfast::kernel
