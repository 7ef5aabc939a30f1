// SPDX-License-Identifier: Apache-2.0
// A program handler of libbpf returns a bpf_link. libbpf has no public function that makes a link
// for several descriptors. Its struct bpf_link has had the layout below since its first release.
// The layout is checked through libbpf's accessors before the first link is made.
#include "hooks/hooks_link.h"

#include <bpf/bpf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace holdfast::hooks {
namespace {

struct ManyLinks {
  int (*detach)(bpf_link* link);
  void (*deallocate)(bpf_link* link);
  char* pin_path;
  int fd;
  bool disconnected;
  std::shared_ptr<Attachment> attachment;
};

ManyLinks* as_many_links(bpf_link* link) { return reinterpret_cast<ManyLinks*>(link); }

int detach(bpf_link* link) {
  if (as_many_links(link)->attachment) {
    for (Fd& fd : as_many_links(link)->attachment->links) fd.reset();
    as_many_links(link)->attachment->links.clear();
  }
  return 0;
}

// After bpf_link__disconnect() the programs stay attached: the descriptors are not closed.
void deallocate(bpf_link* link) {
  if (as_many_links(link)->disconnected && as_many_links(link)->attachment) {
    for (Fd& fd : as_many_links(link)->attachment->links) static_cast<void>(fd.release());
  }
  delete as_many_links(link);
}

bool is_layout_known() {
  char path[] = "path";
  ManyLinks probe{detach, deallocate, path, 4711, false, nullptr};
  const auto* link = reinterpret_cast<bpf_link*>(&probe);
  if (bpf_link__fd(link) != 4711 || bpf_link__pin_path(link) != path) return false;
  bpf_link__disconnect(reinterpret_cast<bpf_link*>(&probe));
  return probe.disconnected && probe.fd == 4711 && probe.detach == detach;
}

std::string file_in(const std::string& directory, std::size_t number) {
  char name[24];
  std::snprintf(name, sizeof name, "/%03zu", number);
  return directory + name;
}

void remove_files(const std::string& directory, std::size_t count) {
  for (std::size_t i = 0; i < count; i++) unlink(file_in(directory, i).c_str());
}

}  // namespace

Result<bpf_link*> make_link(std::shared_ptr<Attachment> attachment) {
  static const bool known = is_layout_known();
  if (!known)
    return Error{ENOTSUP, "attach", "", "this libbpf has another layout of struct bpf_link"};
  auto* link = new ManyLinks{detach, deallocate, nullptr, -1, false, std::move(attachment)};
  return reinterpret_cast<bpf_link*>(link);
}

std::shared_ptr<Attachment> attachment_of(const bpf_link* link) {
  const auto* ours = reinterpret_cast<const ManyLinks*>(link);
  return link != nullptr && ours->detach == detach ? ours->attachment : nullptr;
}

int pin_into(const Attachment& attachment, const std::string& directory) {
  for (std::size_t i = 0; i < attachment.links.size(); i++) {
    if (bpf_obj_pin(attachment.links[i].get(), file_in(directory, i).c_str()) == 0) continue;
    const int error = -errno;
    remove_files(directory, i);
    return error;
  }
  return 0;
}

int pin_link(bpf_link* link, const char* path) {
  if (as_many_links(link)->pin_path != nullptr) return -EBUSY;
  if (mkdir(path, 0700) < 0) return -errno;
  if (const int error = pin_into(*as_many_links(link)->attachment, path); error < 0) {
    rmdir(path);
    return error;
  }
  as_many_links(link)->pin_path = strdup(path);  // libbpf frees it
  return as_many_links(link)->pin_path != nullptr ? 0 : -ENOMEM;
}

int unpin_link(bpf_link* link) {
  const std::unique_ptr<char, decltype(&std::free)> path(as_many_links(link)->pin_path, &std::free);
  if (!path) return -EINVAL;
  as_many_links(link)->pin_path = nullptr;
  remove_files(path.get(), as_many_links(link)->attachment->links.size());
  return rmdir(path.get()) < 0 ? -errno : 0;
}

}  // namespace holdfast::hooks
