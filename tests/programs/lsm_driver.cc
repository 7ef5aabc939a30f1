// SPDX-License-Identifier: Apache-2.0
// lsm_driver [--unshare TYPE,…] [--profile P] POLICY -- CMD…: runs CMD under the lsm backend alone
// and prints every event as JSON, then the totals, one `# name value` line each, on standard error.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "events/event_json.h"
#include "kernel/process/namespaces.h"
#include "policy/load.h"
#include "run/spawn.h"

using namespace holdfast;

namespace {

[[noreturn]] void die(const Error& error) {
  std::fprintf(stderr, "lsm_driver: %s\n", error.message().c_str());
  std::exit(125);
}

template <typename T>
T check(Result<T> result) {
  if (!result) die(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::uint32_t parse_types(std::string list) {
  std::uint32_t types = 0;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const auto bit = kernel::type_by_name(list.substr(begin, end - begin));
    if (!bit) die(Error{0, "unknown type", list, {}});
    types |= 1u << *bit;
    begin = end + 1;
  }
  return types;
}

int wait_for(backend::Session& session, pid_t pid) {
  for (;;) {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == pid)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    std::vector<pollfd> fds;
    for (const int fd : session.poll_fds()) fds.push_back({fd, POLLIN, 0});
    poll(fds.data(), fds.size(), 10);
    check(session.dispatch());
  }
}

}  // namespace

int main(int argc, char** argv) {
  backend::SessionSpec spec;
  run::SpawnSpec spawn;
  std::string policy_path, profile;
  int at = 1;
  for (; at < argc; at++) {
    const std::string word = argv[at];
    if (word == "--") break;
    if (word == "--unshare")
      spec.unshare_types = parse_types(argv[++at]);
    else if (word == "--profile")
      profile = argv[++at];
    else
      policy_path = word;
  }
  for (at++; at < argc; at++) spawn.command.push_back(argv[at]);

  const auto loaded = policy::load({check(policy::read_source(policy_path))});
  for (const auto& diagnostic : loaded.diagnostics) std::fputs(render(diagnostic).c_str(), stderr);
  if (!loaded.policy) return 2;
  const policy::Compiled& compiled = *loaded.policy;
  const auto number =
      profile.empty() ? std::optional<std::uint16_t>(1) : compiled.find_profile(profile);
  if (!number) die(Error{0, "no profile", profile, {}});

  spec.tables = compiled.tables.get();
  spec.profile = *number;
  spec.sink = [&compiled](const hf_event& event) {
    std::fprintf(stderr, "%s\n", policy::event_json(event, compiled).c_str());
  };
  const auto backend = backend::make_lsm_backend();
  check(backend->available());
  const auto session = check(backend->open(spec));
  spawn.unshare_types = spec.unshare_types;
  sigemptyset(&spawn.signal_mask);
  spawn.plan = check(session->before_fork());
  auto spawned = check(run::Spawned::start(spawn));
  check(session->adopt(spawned.child()));
  check(spawned.release());
  const int status = wait_for(*session, spawned.pid());
  if (const auto message = spawned.read_message(); message && message->exec_error)
    die(*message->exec_error);
  const backend::Totals totals = check(session->finish());
  std::fprintf(
      stderr,
      "# allowed %llu\n# denied %llu\n# audited %llu\n# locked %llu\n# errors %llu\n# lost %lu\n",
      totals.allowed, totals.denied, totals.audited, totals.locked, totals.errors, totals.lost);
  return status;
}
