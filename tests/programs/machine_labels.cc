// SPDX-License-Identifier: Apache-2.0
// The labels that holdfastd keeps for sockets of kernels that keep none: what is taken, what is
// refused, and that they outlive the process that set them.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "backend/lsm/machine/instance.h"
#include "backend/machine.h"
#include "kernel/bpf/bpf_pin.h"
#include "kernel/sockets/local_socket.h"
#include "kernel/sockets/sockets.h"
#include "thirdparty_tap.h"

namespace {

using namespace holdfast;
using backend::Labels;
using thirdparty::check;

const std::string kPins = "/sys/fs/bpf/holdfast/machine";

std::unique_ptr<hf_tables> no_rules() {
  auto tables = std::make_unique<hf_tables>();
  tables->magic = HF_TABLES_MAGIC;
  tables->version = HF_ABI_VERSION;
  tables->length = sizeof(hf_tables);
  tables->profile_count = 1;
  tables->profiles[0].ns_create = HF_NS_ALL;
  return tables;
}

std::unique_ptr<backend::Machine> keep(const hf_tables& tables) {
  backend::MachineSpec spec;
  spec.tables = &tables;
  const backend::Persistence keeping{kPins, backend::Guard::off, {}};
  auto machine = backend::attach_pinned_machine(spec, keeping, [](const hf_event&) {});
  if (machine) return *std::move(machine);
  std::printf("# %s\n", machine.error().message().c_str());
  return nullptr;
}

int code_of(const Result<void>& done) { return done ? 0 : done.error().code; }

bool has(const backend::Machine& machine, int fd, const Labels& labels) {
  const auto found = machine.labels_of(fd);
  return found && *found == labels;
}

Labels numbered(int count) {
  Labels labels;
  for (int i = 0; i < count; i++) labels.emplace_back("user." + std::to_string(i), "x");
  return labels;
}

void check_limits(backend::Machine& machine, int fd) {
  const Labels full = numbered(32);
  check(code_of(machine.set_labels(fd, full)) == 0 && has(machine, fd, full), "32 labels");
  const Labels many = numbered(128);
  check(code_of(machine.set_labels(fd, many)) == 0 && has(machine, fd, many), "128 labels");
  const Labels most = {{"user.a", std::string(3472 - 4 - 6, 'v')}};
  check(code_of(machine.set_labels(fd, most)) == 0 && has(machine, fd, most), "3472 bytes fit");
  const Labels more = {{"user.a", std::string(3472 - 4 - 5, 'v')}};
  check(code_of(machine.set_labels(fd, more)) == 0 && has(machine, fd, more), "so do more");
  const Labels large = {{"user.a", std::string(65536, 'a')}, {"user.b", std::string(65536, 'b')}};
  check(code_of(machine.set_labels(fd, large)) == 0 && has(machine, fd, large), "128 KiB");
  check(code_of(machine.set_labels(fd, {{"trusted.a", ""}})) == EINVAL, "no other attributes");
  check(code_of(machine.set_labels(fd, {{"user.a", "1"}, {"user.a", "2"}})) == EINVAL,
        "no name twice");
  check(has(machine, fd, large), "what is refused changes nothing");
  const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  check(code_of(machine.set_labels(file, {{"user.a", ""}})) == ENOTSOCK, "sockets only");
  close(file);
  check(code_of(machine.set_labels(file, {{"user.a", ""}})) == EBADF, "that exist");
}

void check_store(const hf_tables& tables) {
  const std::string odd("\0\xff=\n", 4);
  const Labels labels = {{"user.varlink", "server"}, {"user.empty", ""}, {"user.odd", odd}};
  auto socket = kernel::make_unix_datagram_socket();
  auto other = kernel::make_unix_datagram_socket();
  const int fd = socket->get();
  {
    auto machine = keep(tables);
    if (!check(machine != nullptr && !machine->adopted(), "attached")) return;
    check(has(*machine, fd, {}), "a socket has none");
    check_limits(*machine, fd);
    check(code_of(machine->set_labels(fd, labels)) == 0 && has(*machine, fd, labels),
          "any bytes come back, in their order");
    check(has(*machine, other->get(), {}), "others have none of them");
    const int copy = dup(fd);
    check(has(*machine, copy, labels), "they are the socket's, not the descriptor's");
    close(copy);
  }
  auto machine = keep(tables);
  if (!check(machine != nullptr && machine->adopted(), "adopted")) return;
  check(has(*machine, fd, labels), "the labels are still there");
  machine.reset();
  // As if another build had left what is pinned.
  check(kernel::remove_pin(kPins + "/1/layout") &&
            backend::lsm::complete_instance(kPins + "/1", 4711),
        "programs of another build");
  machine = keep(tables);
  if (!check(machine != nullptr && !machine->adopted(), "replaced")) return;
  check(has(*machine, fd, labels), "their labels are taken over");
  check(code_of(machine->set_labels(fd, {})) == 0 && has(*machine, fd, {}), "and can be removed");
}

}  // namespace

int main() {
  const auto tables = no_rules();
  if (!kernel::has_socket_attributes()) {
    check_store(*tables);
  } else if (auto machine = keep(*tables); check(machine != nullptr, "attached")) {
    auto socket = kernel::make_unix_datagram_socket();
    check(code_of(machine->set_labels(socket->get(), {})) == ENOTSUP, "the kernel keeps them");
  }
  check(static_cast<bool>(backend::stop_machine(kPins)), "ended");
  return thirdparty::tap_end();
}
