// SPDX-License-Identifier: Apache-2.0
// Runs programs of the system whose output this program reads.
#ifndef HOLDFAST_KERNEL_PROCESS_SUBPROCESS_H
#define HOLDFAST_KERNEL_PROCESS_SUBPROCESS_H

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::kernel {

// A program with its standard output in a pipe, /dev/null as standard input, and a process group of
// its own. The destructor kills the group and waits for the program. One thread.
class Subprocess {
 public:
  // `arguments` begins with the program, which is looked up in PATH. Each of `environment` is
  // NAME=VALUE and is added to the caller's. Errors: of pipe(2), posix_spawnp(3).
  [[nodiscard]] static Result<Subprocess> start(const std::vector<std::string>& arguments,
                                                const std::vector<std::string>& environment = {});
  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&& other) noexcept;
  ~Subprocess();

  // Where its output is read. Borrowed.
  [[nodiscard]] int fd() const { return output_.get(); }
  // -1: it was waited for.
  [[nodiscard]] pid_t process() const { return process_; }
  // Reads some of the output. "": it has ended. Errors: ETIMEDOUT there was none for `timeout_ms`;
  // of poll(2), read(2).
  [[nodiscard]] Result<std::string> read_some(int timeout_ms) const;
  // Waits for its end, without a limit. Returns its exit code, or 128 + signal. Errors: of waitpid(2).
  [[nodiscard]] Result<int> wait();

 private:
  Subprocess(pid_t process, Fd output) : process_(process), output_(std::move(output)) {}
  void end();
  pid_t process_ = -1;  // -1: it was waited for
  Fd output_;
};

struct ProgramEnd {
  int status = 0;  // exit code, or 128 + signal
  std::string output;
};

// Runs a program to its end. Errors: ETIMEDOUT after `timeout_ms` it was killed; EFBIG its output has
// more than `most_bytes` bytes, and it was killed; those of Subprocess.
[[nodiscard]] Result<ProgramEnd> run_program(const std::vector<std::string>& arguments,
                                             std::uint64_t timeout_ms, std::size_t most_bytes,
                                             const std::vector<std::string>& environment = {});

}  // namespace holdfast::kernel

#endif  // HOLDFAST_KERNEL_PROCESS_SUBPROCESS_H
