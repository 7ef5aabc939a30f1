// SPDX-License-Identifier: Apache-2.0
// Files without a name whose every read and write this process answers: fuse(4). Who writes waits
// until the write is answered, and gets the result or the errno of the answer.
#ifndef HOLDFAST_KERNEL_FILES_ANSWERED_FILES_H
#define HOLDFAST_KERNEL_FILES_ANSWERED_FILES_H

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

class AnsweredFiles {
 public:
  // One read or write. Its thread waits until it is answered, also when it is killed meanwhile: the
  // kernel lets nobody leave whose request was received. So `thread` stays the number of that
  // thread.
  struct Asked {
    enum class Kind { read, write } kind = Kind::write;
    std::uint64_t request = 0;         // for answer()
    pid_t thread = 0;                  // in this process's pid namespace; 0: it is not in there
    std::shared_ptr<const Fd> object;  // what open() was given
    std::string text;                  // of a write: all of it, at most kMostBytes
    std::uint64_t offset = 0;          // of a read
    std::size_t most_bytes = 0;        // of a read
  };
  // A longer write comes in parts.
  static constexpr std::size_t kMostBytes = 4096;

  // Makes the file system, which is mounted nowhere. Without CAP_SYS_ADMIN a short-lived child
  // makes it in a user namespace; the caller must have one thread then. Errors: of opening
  // /dev/fuse, fork(2), unshare(2), fsopen(2), fsconfig(2), fsmount(2).
  static Result<std::unique_ptr<AnsweredFiles>> create();
  AnsweredFiles(const AnsweredFiles&) = delete;
  AnsweredFiles& operator=(const AnsweredFiles&) = delete;
  // Every read and write that waits, and every later one, fails with ENOTCONN or ECONNABORTED.
  ~AnsweredFiles();

  // Starts the thread that receives. Before it, open() would wait. Once. Files may have a quarter of
  // the descriptors that this process may have by now. Errors: EAGAIN, there can be no thread; of
  // getrlimit(2).
  Result<void> start();

  // A new file, open with the access mode of `flags`. Only this call can open it. The object lives
  // until the last descriptor of the file is closed. Any thread. Errors: ENFILE, there are too many
  // such files; of open(2).
  Result<Fd> open(std::shared_ptr<const Fd> object, int flags);
  // The object of a descriptor that open() returned, or of one that names the same file. Empty: it
  // is of another file system. Any thread.
  [[nodiscard]] std::shared_ptr<const Fd> object_of(int fd) const;

  // Readable when next() may return something. Borrowed.
  [[nodiscard]] int poll_fd() const;
  // The next read or write that nobody has taken. One thread.
  std::optional<Asked> next();
  // Ends it: a write of so many bytes, or a failed one. `error` is an errno, positive. Any thread.
  void answer_write(std::uint64_t request, std::size_t bytes) const;
  void answer_read(std::uint64_t request, std::string_view bytes) const;
  void answer_error(std::uint64_t request, int error) const;

 private:
  struct State;
  explicit AnsweredFiles(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_FILES_ANSWERED_FILES_H
