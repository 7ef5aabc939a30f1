// SPDX-License-Identifier: Apache-2.0
// delegate_libbpf CGROUP: what any program that uses libbpf does: load, attach to its cgroup,
// count. It says "counted" when a packet it sent was counted, else what failed; exits 0 or 1.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "bpf/delegate_egress.skel.h"

namespace {

int fail(const char* what, int error) {
  std::printf("%s: %s\n", what, strerrorname_np(error));
  return 1;
}

void send_packet() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  libbpf_set_print(nullptr);
  delegate_egress_bpf* object = delegate_egress_bpf__open();
  if (object == nullptr) return fail("open", errno);
  if (const int error = delegate_egress_bpf__load(object)) return fail("load", -error);
  const int cgroup = ::open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cgroup < 0) return fail("open the cgroup", errno);
  if (bpf_program__attach_cgroup(object->progs.count_packet, cgroup) == nullptr)
    return fail("attach", errno);
  send_packet();
  const std::uint32_t zero = 0;
  std::uint64_t count = 0;
  if (bpf_map__lookup_elem(object->maps.packets, &zero, sizeof(zero), &count, sizeof(count), 0) !=
      0)
    return fail("look up", errno);
  if (count == 0) return fail("count", 0);
  std::printf("counted\n");
  return 0;
}
