/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Labels of sockets, for the services that carry them: what the socket speaks, as a user.*
 * attribute that policy decides by. Header only, C and C++, nothing to link.
 *
 *     int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
 *     int error = holdfast_label_set(fd, "user.varlink", "listen");
 *     if (error < 0 && error != -EPERM) ...     // -EPERM: this kernel's sockets keep no labels
 *
 * Where it is kept: in the socket itself (Linux 7.1), or by the `holdfast run` that the caller runs
 * under, on any kernel; the calls are the same. A label is a claim that anybody who has the socket
 * may make, unless policy says who may.
 *
 * Each returns 0 or more, or a negative errno; errno itself is left alone. Any thread. Nothing is
 * allocated.
 */
#ifndef HOLDFAST_LABEL_H
#define HOLDFAST_LABEL_H

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <sys/xattr.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Can this socket be labelled: does somebody keep labels for it? 1, 0, or a negative errno
 * (-EBADF). */
static inline int holdfast_label_supported(int socket_fd) {
  const int before = errno;
  /* Neither creates nor replaces: an attribute that is not there cannot be replaced. */
  const int result = fsetxattr(socket_fd, "user.holdfast.probe", "", 0, XATTR_REPLACE);
  const int error = errno;
  errno = before;
  if (result == 0 || error == ENODATA || error == ENOSPC) return 1;
  return error == EPERM || error == EOPNOTSUPP ? 0 : -error;
}

/*
 * Labels a socket; replaces what the label said. `name` begins with "user.", at most 255 bytes.
 * -EPERM: nobody keeps labels here, or policy keeps this one for others. -EACCES: the socket's
 * mode. -ENOSPC: more than 128 labels or 128 KiB. -EINVAL, -ERANGE: the name. -EBADF.
 */
static inline int holdfast_label_set(int socket_fd, const char* name, const char* value) {
  const int before = errno;
  const int result = fsetxattr(socket_fd, name, value, strlen(value), 0);
  const int error = errno;
  errno = before;
  return result == 0 ? 0 : -error;
}

/*
 * The label's length, and the label itself with a final NUL, into `value` of `size` bytes.
 * -ENODATA: there is none. -ERANGE: it does not fit. Size 0: only the length, `value` may be null.
 */
static inline ssize_t holdfast_label_get(int socket_fd, const char* name, char* value,
                                         size_t size) {
  const int before = errno;
  const ssize_t length = fgetxattr(socket_fd, name, value, size == 0 ? 0 : size - 1);
  const int error = errno;
  errno = before;
  if (length < 0) return -error;
  if (size == 1 && length > 0) return -ERANGE; /* a size of 0 asks for the length */
  if (size > 0) value[size == 1 ? 0 : length] = '\0';
  return length;
}

/* -ENODATA: there is none. -EPERM: policy keeps it for others. */
static inline int holdfast_label_remove(int socket_fd, const char* name) {
  const int before = errno;
  const int result = fremovexattr(socket_fd, name);
  const int error = errno;
  errno = before;
  return result == 0 ? 0 : -error;
}

#ifdef __cplusplus
}
#endif

#endif /* HOLDFAST_LABEL_H */
