// SPDX-License-Identifier: Apache-2.0
// One libbpf link that stands for many.
#ifndef HOLDFAST_HOOKS_HOOKS_LINK_H
#define HOLDFAST_HOOKS_HOOKS_LINK_H

#include <bpf/libbpf.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::hooks {

// Owned by a link made by make_link(): closing them detaches, first to last.
struct Attachment {
  std::vector<Fd> links;
};

// A link for bpf_link__destroy(), bpf_link__detach() and pin_link(). It has no descriptor of its
// own, so that libbpf's bpf_link__pin(), which could keep only one of many, fails with EBADF.
// ENOTSUP: this libbpf lays out its links in another way.
Result<bpf_link*> make_link(std::shared_ptr<Attachment> attachment);

// The attachment of a link, null when the link is not ours.
std::shared_ptr<Attachment> attachment_of(const bpf_link* link);

// Pins it as files in `directory`; their names are in the order in which to remove them. All of it
// or nothing. 0 or a negative errno.
int pin_into(const Attachment& attachment, const std::string& directory);

// bpf_link__pin() and bpf_link__unpin() of a link of ours: what is at `path` is a directory.
int pin_link(bpf_link* link, const char* path);
int unpin_link(bpf_link* link);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_HOOKS_LINK_H
