// SPDX-License-Identifier: Apache-2.0
/* One operation by an io_uring, without liburing: its result, or the errno of who refused the ring.
 */
#ifndef HOLDFAST_TESTS_RING_H
#define HOLDFAST_TESTS_RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ring_fsetxattr = 41, ring_connect = IORING_OP_CONNECT }; /* the former: Linux 5.19 */

static inline long ring_do(const struct io_uring_sqe* operation) {
  struct io_uring_params p;
  memset(&p, 0, sizeof p);
  long fd = syscall(SYS_io_uring_setup, 2, &p);
  if (fd < 0) return -errno;
  const size_t bytes = p.sq_off.array + p.sq_entries * sizeof(unsigned);
  const size_t more = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
  char* sq = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, IORING_OFF_SQ_RING);
  char* cq = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, IORING_OFF_CQ_RING);
  struct io_uring_sqe* entries = mmap(NULL, p.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE,
                                      MAP_SHARED, (int)fd, IORING_OFF_SQES);
  if (sq == MAP_FAILED || cq == MAP_FAILED || entries == MAP_FAILED) return -errno;
  entries[0] = *operation;
  ((unsigned*)(sq + p.sq_off.array))[0] = 0;
  __atomic_store_n((unsigned*)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
  if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) return -errno;
  const struct io_uring_cqe* done = (const struct io_uring_cqe*)(cq + p.cq_off.cqes);
  const long result = done->res;
  close((int)fd);
  return result;
}

#endif  // HOLDFAST_TESTS_RING_H
