// SPDX-License-Identifier: Apache-2.0
// sessions_many COUNT POLICY: opens COUNT sessions of holdfastd at a time, each with one task, and
// prints what came of it:
//
//   held N          tasks that are refused a network namespace, as the policy says
//   kernel KIB      memory of the kernel and of holdfastd for each session beyond its task, as the
//                   difference to as many tasks without a session
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "kernel/process/process.h"
#include "policy/load.h"
#include "rpc/control_interface.h"
#include "run/resident_session.h"

using namespace holdfast;

namespace {

// A child that waits for a byte, tries, writes what came of it, and waits to be killed.
struct Waiting {
  pid_t pid = -1;
  int go = -1;       // write here
  int refused = -1;  // read from here
};

Waiting start_waiting() {
  int go[2], refused[2];
  if (pipe2(go, O_CLOEXEC) != 0 || pipe2(refused, O_CLOEXEC) != 0) std::exit(1);
  const pid_t pid = fork();
  if (pid == 0) {
    char byte = 0;
    if (read(go[0], &byte, 1) != 1) _exit(1);
    byte = unshare(CLONE_NEWNET) == 0 ? 'm' : 'r';
    if (write(refused[1], &byte, 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(go[0]);
  close(refused[1]);
  return {pid, go[1], refused[0]};
}

void end(std::vector<Waiting>& all) {
  for (const Waiting& one : all) {
    close(one.go);
    close(one.refused);
    kill(one.pid, SIGKILL);
  }
  for (const Waiting& one : all) waitpid(one.pid, nullptr, 0);
  all.clear();
}

// What is not free and no file's, in KiB.
long used_kib() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  long value = 0, total = 0, available = 0;
  while (file >> name >> value) {
    std::getline(file, unit);
    if (name == "MemTotal:") total = value;
    if (name == "MemAvailable:") available = value;
  }
  return total - available;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int count = std::atoi(argv[1]);
  kernel::raise_descriptor_limit();
  auto source = policy::read_source(argv[2]);
  if (!source) return 2;
  const auto loaded = policy::load({*source});
  if (!loaded.policy) return 2;
  backend::SessionSpec spec;
  spec.tables = loaded.policy->tables.get();
  spec.profile = 1;
  spec.sink = [](const hf_event&) {};
  const run::RunPolicy policy{{*source}, loaded.policy->profiles[1], {}, loaded.policy.get()};

  std::vector<Waiting> tasks;
  long before = used_kib();
  for (int i = 0; i < count; i++) tasks.push_back(start_waiting());
  const long alone = used_kib() - before;
  end(tasks);

  std::vector<std::unique_ptr<backend::Session>> sessions;
  before = used_kib();
  for (int i = 0; i < count; i++) {
    auto session = run::open_resident(rpc::kControlSocket, policy, spec);
    if (!session) {
      std::printf("session %d: %s\n", i, session.error().message().c_str());
      return 1;
    }
    tasks.push_back(start_waiting());
    backend::Child child;
    child.pid = tasks.back().pid;
    child.namespace_fd.fill(-1);
    if (auto held = (*session)->adopt(child); !held) {
      std::printf("session %d: %s\n", i, held.error().message().c_str());
      return 1;
    }
    sessions.push_back(*std::move(session));
  }
  const long with = used_kib() - before;
  int held = 0;
  for (const Waiting& task : tasks) {
    char byte = 0;
    if (write(task.go, "g", 1) == 1 && read(task.refused, &byte, 1) == 1 && byte == 'r') held++;
  }
  std::printf("held %d\nkernel %ld\n", held, (with - alone) / count);
  std::fflush(stdout);
  end(tasks);
  return 0;
}
