// SPDX-License-Identifier: Apache-2.0
// A program handler of libbpf returns a bpf_link, and libbpf has no public way to make one that
// stands for more than one descriptor. Its own struct has kept the layout below since its first
// release; what can be seen through its accessors is checked before any link is handed out.
#include "hooks/hooks_link.h"

#include <cerrno>
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

}  // namespace holdfast::hooks
