/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets and reads labels of sockets. A label is a user.* attribute, for example for the protocol of
 * the socket. Policies of holdfast can refer to labels. Header only, C and C++, nothing to link.
 *
 *     int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
 *     int error = holdfast_label_set(fd, "user.varlink", "listen");
 *     if (error < 0 && error != -EPERM) ...     // -EPERM: labels are not supported here
 *
 * From Linux 7.1 on, the kernel stores labels in the socket. Before, the `holdfast run` that
 * supervises the caller stores them, or else holdfastd. The calls are the same. Every process that
 * has the socket may set a label, unless a policy restricts that. So a label alone proves nothing.
 *
 * Each function returns 0 or more, or a negative errno, and does not change errno. Any thread may
 * call them. They allocate no heap memory and use about 16 KiB of stack. A call may wait for
 * holdfastd, at most ten seconds for each step (connect, send, receive).
 */
#ifndef HOLDFAST_LABEL_H
#define HOLDFAST_LABEL_H

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Internal, not for direct use: calls of io.holdfast.Control, for kernels before Linux 7.1. */

#define HOLDFAST_LABEL_TEXT_BYTES 8192 /* one call or answer; a label has fewer than 3472 bytes */
#define HOLDFAST_LABEL_SECONDS 10

static const char holdfast_label_digits[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Base64 with a final NUL. `to` has room for four digits for each three bytes, and the NUL. */
static inline void holdfast_label_encode(const char* from, size_t size, char* to) {
  size_t i, k;
  for (i = 0; i < size; i += 3) {
    unsigned long bits = 0;
    for (k = 0; k < 3; k++)
      bits = bits << 8 | (i + k < size ? (unsigned long)(unsigned char)from[i + k] : 0ul);
    for (k = 0; k < 4; k++)
      *to++ = k <= size - i ? holdfast_label_digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  *to = '\0';
}

/* Decodes base64 up to a '"' or '=' and writes at most `size` bytes. Returns the length of the
 * whole value. -EPROTO: not base64. */
static inline ssize_t holdfast_label_decode(const char* from, char* to, size_t size) {
  unsigned long bits = 0;
  unsigned count = 0;
  size_t length = 0;
  for (; *from != '"' && *from != '='; from++) {
    const char* digit = *from == '\0' ? NULL : strchr(holdfast_label_digits, *from);
    if (digit == NULL) return -EPROTO;
    bits = (bits << 6 | (unsigned long)(digit - holdfast_label_digits)) & 0xfffful;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    if (length < size) to[length] = (char)(bits >> count & 255);
    length++;
  }
  return (ssize_t)length;
}

/* Sends `text` with the socket, and overwrites `text` with the answer. 0, or a negative errno. */
static inline int holdfast_label_exchange(int connection, int socket_fd, char* text) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec data;
  struct msghdr message;
  struct cmsghdr* part;
  size_t length = 0;
  data.iov_base = text;
  data.iov_len = strlen(text) + 1;
  memset(&message, 0, sizeof(message));
  memset(&control, 0, sizeof(control));
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(part), &socket_fd, sizeof(int));
  if (sendmsg(connection, &message, MSG_NOSIGNAL) != (ssize_t)data.iov_len) return -EPROTO;
  for (;;) {
    const ssize_t got = recv(connection, text + length, HOLDFAST_LABEL_TEXT_BYTES - length, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) return -EPROTO;
    length += (size_t)got;
    if (text[length - 1] == '\0') return 0;
    if (length == HOLDFAST_LABEL_TEXT_BYTES) return -EPROTO;
  }
}

/*
 * Calls a method for one socket. `value` null: the method has no value. The answer is in `text`.
 * -ENOTSUP: holdfastd does not run, or it stores no labels because the kernel does.
 */
static inline int holdfast_label_call(int socket_fd, const char* method, const char* name,
                                      const char* value, char* text) {
  static const char kMember[] = "\",\"value\":\"";
  const struct timeval patience = {HOLDFAST_LABEL_SECONDS, 0};
  struct sockaddr_un address;
  const char* found;
  size_t used;
  int connection, connected, result;
  if (strpbrk(name, "\"\\") != NULL || strlen(name) > 255) return -EINVAL;
  for (found = name; *found != '\0'; found++)
    if (*found < ' ' || *found > '~') return -EINVAL;
  if (value != NULL && strlen(value) > 4096) return -ENOSPC;
  used = (size_t)snprintf(text, HOLDFAST_LABEL_TEXT_BYTES,
                          "{\"method\":\"io.holdfast.Control.%s\",\"parameters\":{\"name\":\"%s",
                          method, name);
  if (value != NULL) {
    memcpy(text + used, kMember, sizeof(kMember));
    used += sizeof(kMember) - 1;
    holdfast_label_encode(value, strlen(value), text + used);
    used += strlen(text + used);
  }
  memcpy(text + used, "\"}}", 4);
  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  /* Only root may connect to this socket, so other users cannot fill its queue. */
  strcpy(address.sun_path, "/run/holdfast/io.holdfast.Control.root");
  connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return -errno;
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  connected = connect(connection, (const struct sockaddr*)&address, sizeof(address));
  if (connected != 0) {
    address.sun_path[strlen(address.sun_path) - strlen(".root")] = '\0';
    connected = connect(connection, (const struct sockaddr*)&address, sizeof(address));
  }
  result = connected == 0 ? holdfast_label_exchange(connection, socket_fd, text) : -ENOTSUP;
  close(connection);
  if (result < 0) return result;
  if (strstr(text, "\"error\":") == NULL) return 0;
  found = strstr(text, "\"errno\":");
  return found == NULL ? -EPROTO : -atoi(found + sizeof("\"errno\":") - 1);
}

/* Whether neither the kernel nor a `holdfast run` stores labels of this socket. Also true if a
 * policy refuses every change. */
static inline int holdfast_label_is_foreign(int socket_fd) {
  /* XATTR_REPLACE changes nothing, because this attribute does not exist. */
  return fsetxattr(socket_fd, "user.holdfast.probe", "", 0, XATTR_REPLACE) != 0 &&
         (errno == EPERM || errno == EOPNOTSUPP);
}

/* Public functions. */

/* Whether labels of this socket are supported. 1: yes, 0: no. -EBADF. */
static inline int holdfast_label_supported(int socket_fd) {
  const int before = errno;
  char text[HOLDFAST_LABEL_TEXT_BYTES];
  int result = 1;
  if (holdfast_label_is_foreign(socket_fd)) {
    result = holdfast_label_call(socket_fd, "GetLabel", "user.holdfast.probe", NULL, text);
    result = result == 0 || result == -ENODATA;
  } else if (fgetxattr(socket_fd, "user.holdfast.probe", NULL, 0) < 0 && errno == EBADF) {
    result = -EBADF;
  }
  errno = before;
  return result;
}

/*
 * Sets a label, and replaces its old value. `name` begins with "user." and has at most 255 bytes.
 * -EPERM: labels are not supported here, or the policy does not permit this one. -EACCES: the
 * socket's mode does not permit it. -ENOSPC: more than 128 labels or 128 KiB for a socket; with
 * holdfastd, more than 32 labels or 3472 bytes. -EINVAL, -ERANGE: invalid name. -EBADF. -EAGAIN,
 * -EPROTO: holdfastd did not answer in time, or not correctly.
 */
static inline int holdfast_label_set(int socket_fd, const char* name, const char* value) {
  const int before = errno;
  char text[HOLDFAST_LABEL_TEXT_BYTES];
  int result = fsetxattr(socket_fd, name, value, strlen(value), 0) == 0 ? 0 : -errno;
  if (result == -EPERM || result == -EOPNOTSUPP) {
    result = holdfast_label_call(socket_fd, "SetLabel", name, value, text);
    if (result == -ENOTSUP) result = -EPERM;
  }
  errno = before;
  return result;
}

/*
 * Copies a label and a final NUL into `value`, which has `size` bytes. Returns the label's length
 * without the NUL. Size 0: returns only the length, and `value` may be null. -ENODATA: no such
 * label. -ERANGE: it does not fit, or the name is invalid. -EACCES, -EBADF, -EAGAIN, -EPROTO: as
 * holdfast_label_set().
 */
static inline ssize_t holdfast_label_get(int socket_fd, const char* name, char* value,
                                         size_t size) {
  const int before = errno;
  char text[HOLDFAST_LABEL_TEXT_BYTES];
  ssize_t length = fgetxattr(socket_fd, name, value, size == 0 ? 0 : size - 1);
  if (length < 0) length = -errno;
  if ((length == -ENODATA || length == -EOPNOTSUPP) && holdfast_label_is_foreign(socket_fd)) {
    length = holdfast_label_call(socket_fd, "GetLabel", name, NULL, text);
    if (length == -ENOTSUP) length = -ENODATA;
    if (length == 0) {
      const char* found = strstr(text, "\"value\":\"");
      length = found == NULL ? -EPROTO
                             : holdfast_label_decode(found + sizeof("\"value\":\"") - 1, value,
                                                     size == 0 ? 0 : size - 1);
    }
    if (length >= 0 && size > 0 && (size_t)length > size - 1) length = -ERANGE;
  }
  errno = before;
  if (length < 0) return length;
  if (size == 1 && length > 0) return -ERANGE; /* a size of 0 asks for the length */
  if (size > 0) value[size == 1 ? 0 : length] = '\0';
  return length;
}

/* Removes a label. 0, or a negative errno. -ENODATA: no such label. -EPERM: labels are not
 * supported here, or the policy does not permit the removal. Others as holdfast_label_set(). */
static inline int holdfast_label_remove(int socket_fd, const char* name) {
  const int before = errno;
  char text[HOLDFAST_LABEL_TEXT_BYTES];
  int result = fremovexattr(socket_fd, name) == 0 ? 0 : -errno;
  if (result == -EPERM || result == -EOPNOTSUPP) {
    result = holdfast_label_call(socket_fd, "RemoveLabel", name, NULL, text);
    if (result == -ENOTSUP) result = -EPERM;
  }
  errno = before;
  return result;
}

#ifdef __cplusplus
}
#endif

#endif /* HOLDFAST_LABEL_H */
