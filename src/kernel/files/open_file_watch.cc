// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/open_file_watch.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <charconv>
#include <string_view>

#include "kernel/system_error.h"

namespace holdfast::kernel {

Result<OpenFileWatch> OpenFileWatch::create() {
  Fd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd) return system_error("epoll_create1");
  return OpenFileWatch(std::move(fd));
}

// No event is requested. Errors and hang-ups, which epoll always reports, are reported once.
Result<void> OpenFileWatch::watch(int fd, std::uint64_t number) const {
  epoll_event event = {};
  event.events = EPOLLONESHOT;
  event.data.u64 = number;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return system_error("epoll_ctl");
  return {};
}

// Lines are "tfd: 5 events: 40000018 data: 2a pos:0 ino:1a2b sdev:8".
Result<std::vector<std::uint64_t>> OpenFileWatch::numbers(const Proc& proc) const {
  HF_TRY_ASSIGN(auto text, proc.descriptor_info(epoll_.get()));
  std::vector<std::uint64_t> found;
  const std::string_view rest = text;
  constexpr std::string_view kKey = "data:";
  for (std::size_t at = 0; (at = rest.find(kKey, at)) != std::string_view::npos;) {
    at = rest.find_first_not_of(' ', at + kKey.size());
    if (at == std::string_view::npos) break;
    std::uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(rest.data() + at, rest.data() + rest.size(), number, 16);
    if (error != std::errc()) return Error{EPROTO, "parse", "fdinfo of an epoll", {}};
    found.push_back(number);
  }
  return found;
}

}  // namespace holdfast::kernel
