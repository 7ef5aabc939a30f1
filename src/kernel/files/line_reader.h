// SPDX-License-Identifier: Apache-2.0
// Reads a file line by line, with the memory of one block and the longest line.
#ifndef HOLDFAST_KERNEL_FILES_LINE_READER_H
#define HOLDFAST_KERNEL_FILES_LINE_READER_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// One thread.
class LineReader {
 public:
  // A line may have `most_bytes` bytes. `operation` is the operation of the errors. The file may be
  // a pipe. Errors: of open(2), fstat(2); EISDIR.
  [[nodiscard]] static Result<LineReader> open(const std::string& path, std::string_view operation,
                                               std::size_t most_bytes);

  // The next line, without its newline; empty: the file has ended. Borrowed until the next call.
  // Errors: of read(2); EFBIG a line is too long, with its number in the detail.
  [[nodiscard]] Result<std::optional<std::string_view>> next();

  // The number of the line that next() returned last; the first is 1.
  [[nodiscard]] std::uint64_t number() const { return number_; }
  // Did that line end with a newline?
  [[nodiscard]] bool is_whole() const { return is_whole_; }
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
  // The size when it was opened, in bytes. 0: it is not a regular file.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Is it the same file, by device and inode?
  [[nodiscard]] bool is_same_file(const LineReader& other) const {
    return device_ == other.device_ && inode_ == other.inode_;
  }

 private:
  Fd fd_;
  std::string path_;
  std::string operation_;
  std::size_t most_bytes_ = 0;
  std::string block_;  // what was read and not returned yet, from `at_` on
  std::size_t at_ = 0;
  std::size_t searched_ = 0;  // no newline before this place in `block_`
  bool ended_ = false;
  bool is_whole_ = true;
  std::uint64_t number_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_LINE_READER_H
