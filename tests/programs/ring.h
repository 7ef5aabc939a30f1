// SPDX-License-Identifier: Apache-2.0
/* Operations by an io_uring, without liburing: the result, or the errno of who refused the ring. */
#ifndef HOLDFAST_TESTS_RING_H
#define HOLDFAST_TESTS_RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ring_fsetxattr = 41, ring_connect = IORING_OP_CONNECT }; /* the former: Linux 5.19 */

struct ring {
  int fd;
  const struct io_uring_cqe* done; /* the results, in the order that they came in */
  const unsigned* done_count;
};

/* Begins up to eight operations, once, and waits for none. 0, or -errno. */
static inline long ring_begin(struct ring* ring, const struct io_uring_sqe* operations,
                              unsigned count) {
  struct io_uring_params p;
  memset(&p, 0, sizeof p);
  ring->fd = (int)syscall(SYS_io_uring_setup, 8, &p);
  if (ring->fd < 0) return -errno;
  const size_t bytes = p.sq_off.array + p.sq_entries * sizeof(unsigned);
  const size_t more = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
  char* sq = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
  char* cq = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
  struct io_uring_sqe* entries = mmap(NULL, p.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE,
                                      MAP_SHARED, ring->fd, IORING_OFF_SQES);
  if (sq == MAP_FAILED || cq == MAP_FAILED || entries == MAP_FAILED) return -errno;
  for (unsigned i = 0; i < count; i++) {
    entries[i] = operations[i];
    ((unsigned*)(sq + p.sq_off.array))[i] = i;
  }
  __atomic_store_n((unsigned*)(sq + p.sq_off.tail), count, __ATOMIC_RELEASE);
  ring->done = (const struct io_uring_cqe*)(cq + p.cq_off.cqes);
  ring->done_count = (const unsigned*)(cq + p.cq_off.tail);
  return syscall(SYS_io_uring_enter, ring->fd, count, 0, 0, NULL, 0) < 0 ? -errno : 0;
}

/* How many are done. */
static inline unsigned ring_done(const struct ring* ring) {
  return __atomic_load_n(ring->done_count, __ATOMIC_ACQUIRE);
}

/* One operation by a ring of its own. */
static inline long ring_do(const struct io_uring_sqe* operation) {
  struct ring ring = {0};
  const long begun = ring_begin(&ring, operation, 1);
  if (begun < 0) return begun;
  if (syscall(SYS_io_uring_enter, ring.fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
    return -errno;
  const long result = ring.done[0].res;
  close(ring.fd);
  return result;
}

#endif  // HOLDFAST_TESTS_RING_H
