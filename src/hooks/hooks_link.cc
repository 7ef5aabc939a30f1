// SPDX-License-Identifier: Apache-2.0
// A program handler of libbpf returns a bpf_link, and libbpf has no public way to make one that
// stands for more than one descriptor. Its own struct has kept the layout below since its first
// release; what can be seen through its accessors is checked before any link is handed out.
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

ManyLinks* many(bpf_link* link) { return reinterpret_cast<ManyLinks*>(link); }

int detach(bpf_link* link) {
  if (many(link)->attachment) {
    for (Fd& fd : many(link)->attachment->links) fd.reset();
    many(link)->attachment->links.clear();
  }
  return 0;
}

// A disconnected link leaves what it stood for attached.
void deallocate(bpf_link* link) {
  if (many(link)->disconnected && many(link)->attachment) {
    for (Fd& fd : many(link)->attachment->links) static_cast<void>(fd.release());
  }
  delete many(link);
}

bool layout_is_known() {
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
  static const bool known = layout_is_known();
  if (!known) return Error{ENOTSUP, "attach", "", "this libbpf lays out its links in another way"};
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
  if (many(link)->pin_path != nullptr) return -EBUSY;
  if (mkdir(path, 0700) < 0) return -errno;
  if (const int error = pin_into(*many(link)->attachment, path); error < 0) {
    rmdir(path);
    return error;
  }
  many(link)->pin_path = strdup(path);  // libbpf frees it
  return many(link)->pin_path != nullptr ? 0 : -ENOMEM;
}

int unpin_link(bpf_link* link) {
  const std::unique_ptr<char, decltype(&std::free)> path(many(link)->pin_path, &std::free);
  if (!path) return -EINVAL;
  many(link)->pin_path = nullptr;
  remove_files(path.get(), many(link)->attachment->links.size());
  return rmdir(path.get()) < 0 ? -errno : 0;
}

}  // namespace holdfast::hooks
