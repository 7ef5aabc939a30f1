// SPDX-License-Identifier: Apache-2.0
// Implements holdfast/delegate.h, the public API, with the functions of this directory.
#include "holdfast/delegate.h"

#include <cerrno>

#include "delegate/explain.h"
#include "delegate/grant.h"
#include "delegate/mounts.h"

namespace holdfast::delegation {
namespace {

namespace room = holdfast::delegate;

room::Set inner(const Set& set) {
  room::Set out;
  out.masks = set.masks;
  return out;
}

Set outer(const room::Set& set) { return Set{set.masks}; }

Error outer(const holdfast::Error& error) { return Error{error.code, error.message()}; }

template <typename T>
Result<Set> outer_set(const holdfast::Result<T>& found) {
  if (!found) return outer(found.error());
  return outer(found->set);
}

Result<std::string> mount_at(const room::Grant& grant) {
  const auto mounted = room::grant(grant, room::vocabulary_here());
  if (!mounted) return outer(mounted.error());
  return *mounted;
}

}  // namespace

Result<std::uint64_t> parse(Kind kind, std::string_view value) {
  const auto parsed = room::parse(static_cast<room::Kind>(kind), value, room::vocabulary_here());
  if (!parsed) return outer(parsed.error());
  return parsed->mask;
}

Result<Set> parse_options(std::string_view options) {
  const auto parsed = room::parse_options(options, room::vocabulary_here());
  if (!parsed) return outer(parsed.error());
  return outer(*parsed);
}

std::string print(const Set& set) { return room::print(inner(set), room::vocabulary_here()); }

Explanation explain(const Set& set) {
  room::Explanation e = room::explain(inner(set), room::vocabulary_here());
  return {std::move(e.may), std::move(e.may_not), std::move(e.lacking), std::move(e.warnings)};
}

Result<std::string> mount(pid_t pid, const Set& set, const std::string& path) {
  if (pid <= 0) return Error{ESRCH, "there is no process with such a number"};
  return mount_at({.pid = pid, .at = path, .set = inner(set)});
}

Result<std::string> mount_for(const std::string& user_namespace, const Set& set,
                              const std::string& path) {
  return mount_at({.pid = 0, .user_ns = user_namespace, .at = path, .set = inner(set)});
}

Result<Set> of_path(const std::string& path) {
  return outer_set(room::mount_of(path, room::vocabulary_here()));
}

Result<Set> of_token(int token_fd) {
  return outer_set(room::token_of("/proc/self/fd/" + std::to_string(token_fd)));
}

}  // namespace holdfast::delegation
