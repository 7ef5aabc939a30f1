// SPDX-License-Identifier: Apache-2.0
// Labels of sockets, kept in this process, for kernels whose sockets have no user.* attributes
// (before Linux 7.1). It corresponds to the simple_xattrs of sockfs.
//
// Readers take no lock and never wait. A socket's labels are one immutable list. A change makes a
// new list and swaps the pointer. The old list is freed after an RCU grace period (liburcu). A hash
// table of chains maps a socket to its list, and readers walk a chain while writers change it. The
// kernel made the same change, from a tree under a reader-writer lock to a hash read under RCU.
//
// The key is the socket's cookie (SO_COOKIE). Unlike an inode number, a cookie is never reused.
#ifndef HOLDFAST_LABEL_STORE_H
#define HOLDFAST_LABEL_STORE_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::label {

using Cookie = std::uint64_t;

// Any thread may read at any time. Any thread may write; an internal lock serialises writers.
class Store {
 public:
  struct Limits {
    std::size_t sockets = 131'072;
    std::size_t bytes = 64u << 20;  // names and values of all sockets together
  };

  Store() : Store(Limits()) {}
  explicit Store(Limits limits);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // A copy of the value. nullopt: there is no such label (ENODATA).
  [[nodiscard]] std::optional<std::string> get(Cookie socket, std::string_view name) const;
  // Calls `use` with the value, without a copy. The bytes are valid until `use` returns. False:
  // there is no such label.
  template <typename Use>
  bool read(Cookie socket, std::string_view name, Use&& use) const {
    const Reading reading;
    const std::string* value = find_value(socket, name);
    if (value == nullptr) return false;
    use(std::string_view(*value));
    return true;
  }
  // The names, in the order in which each was first set.
  [[nodiscard]] std::vector<std::string> list(Cookie socket) const;

  // `flags`: kCreate, kReplace (label/access.h). Errors, in this order: those of check_set();
  // ENOSPC: over a limit of the whole store (Limits). The name is not checked.
  Result<void> set(Cookie socket, std::string_view name, std::string_view value, int flags);
  Result<void> remove(Cookie socket, std::string_view name);  // ENODATA
  // Copies all labels of `from` to `to`, which must have none. Errors: ENOSPC, over a limit of the
  // whole store.
  Result<void> copy(Cookie from, Cookie to);
  // Removes all labels of the socket.
  void forget(Cookie socket);

  [[nodiscard]] bool has(Cookie socket) const;
  [[nodiscard]] std::vector<Cookie> sockets() const;
  [[nodiscard]] std::size_t socket_count() const;
  [[nodiscard]] std::size_t byte_count() const;
  // Waits until no reader uses replaced or removed labels, and frees them.
  void reclaim();

 private:
  struct Labels;
  struct Entry;
  struct Table;
  // An RCU read-side critical section: while it lives, entries that this thread finds are not
  // freed.
  struct Reading {
    Reading();
    ~Reading();
  };

  [[nodiscard]] Entry* find(Cookie socket) const;
  [[nodiscard]] const std::string* find_value(Cookie socket, std::string_view name) const;
  Result<Entry*> find_or_add(Cookie socket);
  void remove_entry(Entry* entry);
  void publish(Entry* entry, std::unique_ptr<Labels> labels);
  void reclaim_locked();

  Limits limits_;
  std::unique_ptr<Table> table_;
  mutable std::mutex changing_;  // guards writes to the table, and the members below
  std::size_t sockets_ = 0;
  std::size_t bytes_ = 0;
  std::vector<std::unique_ptr<const Labels>> old_labels_;
  std::vector<std::unique_ptr<Entry>> old_entries_;
};

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_STORE_H
