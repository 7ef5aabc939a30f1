/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs that hold one run, a family in each file, compiled as one object: loading an object means
 * reading all of the kernel's type information once more, which is most of the time a start takes.
 *
 *   member      task_alloc, task_free      who belongs to the session; clone
 *   decisions   capable, userns_create     setns, unshare, and the mount calls that make a namespace
 *   captures    captures                   which namespace is being entered
 *   records     records                    namespaces that are made meanwhile
 *   tracing     ptrace_access_check        tracing out of confinement
 *   guard       task_kill, bpf, sysctl     what would end the enforcement
 *   helper      file_open, key_alloc, …    programs that the kernel starts outside
 *   socket      socket_*, unix_*           bind, connect, listen, accept, send
 *   requests    getpeername, tc            what user space asks for, when it accepts for a member
 *   label       inode_*xattr               who may label; the mirror of labels
 *   adopt       iterators                  for user space: the child's namespaces, the members
 *
 * Only programs of type LSM, and the sysctl guard, ever refuse.
 */
#include "bpf/run/adopt.bpf.h"
#include "bpf/run/userspace_requests.bpf.h"
#include "bpf/run/guard.bpf.h"
#include "bpf/namespaces/captures.bpf.h"
#include "bpf/run/label.bpf.h"
#include "bpf/run/member.bpf.h"
#include "bpf/namespaces/decisions.bpf.h"
#include "bpf/run/socket.bpf.h"
#include "bpf/run/socket_peer.bpf.h"
#include "bpf/run/tracing.bpf.h"
#include "bpf/namespaces/records.bpf.h"
