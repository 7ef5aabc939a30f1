// SPDX-License-Identifier: Apache-2.0
// A libbpf link that owns several kernel links.
#ifndef HOLDFAST_HOOKS_HOOKS_LINK_H
#define HOLDFAST_HOOKS_HOOKS_LINK_H

#include <bpf/libbpf.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace holdfast::hooks {

// The kernel links of a link made by make_link(). Closing them, first to last, detaches the
// programs.
struct Attachment {
  std::vector<Fd> links;
};

// Makes a link for bpf_link__destroy(), bpf_link__detach() and pin_link(). It has no descriptor of
// its own. So libbpf's bpf_link__pin(), which can pin only one descriptor, fails with EBADF. The
// caller owns the link. Errors: ENOTSUP, this libbpf has another layout of struct bpf_link.
Result<bpf_link*> make_link(std::shared_ptr<Attachment> attachment);

// The attachment of a link. Null: make_link() did not make this link.
std::shared_ptr<Attachment> attachment_of(const bpf_link* link);

// Pins all kernel links as files in `directory`. To detach, remove the files in the order of their
// names. Returns 0, or a negative errno; then no file is left.
int pin_into(const Attachment& attachment, const std::string& directory);

// bpf_link__pin() and bpf_link__unpin() for a link of make_link(). `path` becomes a directory. 0,
// or a negative errno. -EBUSY: already pinned; -EINVAL: not pinned.
int pin_link(bpf_link* link, const char* path);
int unpin_link(bpf_link* link);

}  // namespace holdfast::hooks

#endif  // HOLDFAST_HOOKS_HOOKS_LINK_H
