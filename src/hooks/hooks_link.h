// SPDX-License-Identifier: Apache-2.0
// One libbpf link that stands for many.
#ifndef HOLDFAST_HOOKS_HOOKS_LINK_H
#define HOLDFAST_HOOKS_HOOKS_LINK_H

#include <bpf/libbpf.h>

#include <memory>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::hooks {

// Owned by a link made by make_link(): closing them detaches, first to last.
struct Attachment {
  std::vector<Fd> links;
};

// A link for bpf_link__destroy() and bpf_link__detach(). It has no descriptor of its own, so that
// bpf_link__pin(), which could keep only one of many, fails with EBADF.
// ENOTSUP: this libbpf lays out its links in another way.
Result<bpf_link*> make_link(std::shared_ptr<Attachment> attachment);

// The attachment of a link, null when the link is not ours.
std::shared_ptr<Attachment> attachment_of(const bpf_link* link);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_HOOKS_LINK_H
