// SPDX-License-Identifier: Apache-2.0
// Labels of sockets, kept in this process for kernels whose sockets keep none: what the kernel's
// simple_xattrs are to its sockfs.
//
// Readers take no lock and never wait. A socket's labels are one immutable list; a change makes a
// new list and swaps the pointer, and the old one is freed when no reader can still see it (RCU, by
// liburcu). Sockets are found in a hash of chains that readers walk while writers change it. The
// kernel went the same way, from a tree under a reader-writer lock to a hash read under RCU.
//
// Sockets go by their cookie: unlike an inode number it is never given to another socket.
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

// The kernel's limits for one socket (SIMPLE_XATTR_MAX_NR, SIMPLE_XATTR_MAX_SIZE).
inline constexpr std::size_t kMaxLabels = 128;
inline constexpr std::size_t kMaxValueBytes = 128u << 10;

// XATTR_CREATE, XATTR_REPLACE; both together mean what they mean to the kernel.
inline constexpr int kCreate = 1;
inline constexpr int kReplace = 2;

// Reading from any thread, at any time; changes from any thread, one at a time by a lock inside.
class Store {
 public:
  struct Limits {
    std::size_t sockets = 131'072;
    std::size_t bytes = 64u << 20;  // of names and values, all sockets together
  };

  Store() : Store(Limits()) {}
  explicit Store(Limits limits);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Nothing: no such label (ENODATA).
  [[nodiscard]] std::optional<std::string> get(Cookie socket, std::string_view name) const;
  // Without a copy: the bytes are good until visit() returns.
  template <typename PendingConnect>
  bool read(Cookie socket, std::string_view name, PendingConnect&& visit) const {
    const Reading reading;
    const std::string* value = find_value(socket, name);
    if (value == nullptr) return false;
    visit(std::string_view(*value));
    return true;
  }
  // In the order in which they were set first.
  [[nodiscard]] std::vector<std::string> list(Cookie socket) const;

  // The kernel's answers in the kernel's order. ENOSPC: over a limit, which is charged before the
  // name is looked up: replacing a value in a full socket fails too. Then EEXIST (kCreate, it is
  // there) and ENODATA (kReplace, it is not).
  Result<void> set(Cookie socket, std::string_view name, std::string_view value, int flags);
  Result<void> remove(Cookie socket, std::string_view name);  // ENODATA
  // All labels of one socket also become the other's, which has none yet. ENOSPC.
  Result<void> copy(Cookie from, Cookie to);
  void forget(Cookie socket);

  [[nodiscard]] bool has(Cookie socket) const;
  [[nodiscard]] std::vector<Cookie> sockets() const;
  [[nodiscard]] std::size_t socket_count() const;
  [[nodiscard]] std::size_t byte_count() const;
  // Frees what was replaced or removed, once no reader can see it any more.
  void reclaim();

 private:
  struct Labels;
  struct Entry;
  struct Table;
  // While one lives, what this thread finds stays there.
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
  mutable std::mutex changing_;  // the rest
  std::size_t sockets_ = 0;
  std::size_t bytes_ = 0;
  std::vector<std::unique_ptr<const Labels>> old_labels_;
  std::vector<std::unique_ptr<Entry>> old_entries_;
};

}  // namespace holdfast::label

#endif  // HOLDFAST_LABEL_STORE_H
