/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An upper bound of the memory of a BPF map, in bytes, computed from its definition.
 *
 * The kernel knows the memory that a map uses now (map_mem_usage), but a BPF program cannot read that. A quota
 * needs the maximum in any case, since most maps allocate memory as they fill. Two kinds of maps have no bound
 * here: those whose definition does not limit their size, such as the storages of tasks and sockets, and those
 * that are newer than this file.
 *
 * Source of the overheads: struct htab_elem and struct bucket (kernel/bpf/hashtab.c), struct lpm_trie_node,
 * the pages of struct bpf_ringbuf; each rounded up.
 */
#ifndef HOLDFAST_CORE_BPF_MEMORY_H
#define HOLDFAST_CORE_BPF_MEMORY_H

#include "core/abi.h"
#include "core/decide.h"

#define HF_UNBOUNDED (~0ull)

#define HF_MAP_OVERHEAD 1024u /* struct bpf_map and what surrounds it */
#define HF_HASH_ELEMENT 80u
#define HF_HASH_BUCKET 32u /* 16 bytes, and as many buckets as the next power of two: at most twice the entries */
#define HF_TRIE_NODE 56u
#define HF_PAGE 4096u
#define HF_RING_PAGES 4u
#define HF_PROGRAM_INSTRUCTION 16u /* 8 bytes, and about as many of machine code */

struct hf_map_shape {
  __u32 type; /* enum bpf_map_type */
  __u32 key_size;
  __u32 value_size;
  __u32 max_entries;
};

HF_INLINE __u64 hf_eights(__u32 bytes) { return ((__u64)bytes + 7) & ~7ull; }

/* Bytes for each entry; HF_UNBOUNDED: the definition does not limit the size. */
HF_INLINE __u64 hf_entry_bytes(const struct hf_map_shape *m, __u32 cpus) {
  __u64 key = hf_eights(m->key_size);
  __u64 value = hf_eights(m->value_size);
  switch (m->type) {
    case 2:  /* array */
    case 3:  /* prog_array */
    case 4:  /* perf_event_array */
    case 8:  /* cgroup_array */
    case 12: /* array_of_maps */
    case 15: /* sockmap */
    case 17: /* xskmap */
    case 20: /* reuseport_sockarray */
      return value + 64;
    case 14: /* devmap */
    case 16: /* cpumap */
      return value + 256;
    case 6: /* percpu_array */
      return value * cpus + 16;
    case 1:  /* hash */
    case 9:  /* lru_hash */
    case 13: /* hash_of_maps */
    case 18: /* sockhash */
    case 25: /* devmap_hash */
      return key + value + HF_HASH_ELEMENT + HF_HASH_BUCKET;
    case 5:  /* percpu_hash */
    case 10: /* lru_percpu_hash */
      return key + value * cpus + HF_HASH_ELEMENT + HF_HASH_BUCKET;
    case 7: /* stack_trace */
      return value + 64 + HF_HASH_BUCKET;
    case 11: /* lpm_trie: an intermediate node for each */
      return 2 * (key + value + HF_TRIE_NODE);
    case 22: /* queue */
    case 23: /* stack */
      return value;
    case 26: /* struct_ops */
      return 2 * value + HF_PAGE;
    case 27:    /* ringbuf */
    case 31:    /* user_ringbuf */
      return 1; /* max_entries is bytes */
    case 30:    /* bloom_filter: at most 15 hashes of 7/5 bits, to the next power of two */
      return 8;
    case 33: /* arena: max_entries is pages */
      return HF_PAGE;
    default:
      return HF_UNBOUNDED;
  }
}

/* The bound for a whole map. `cpus` is the number of possible processors of the machine. Pure. */
HF_INLINE __u64 hf_map_bytes(const struct hf_map_shape *m, __u32 cpus) {
  __u64 each = hf_entry_bytes(m, cpus);
  if (each >> 31) return HF_UNBOUNDED; /* its product with 32 bits more would not fit */
  return each * m->max_entries + HF_MAP_OVERHEAD + HF_RING_PAGES * HF_PAGE;
}

HF_INLINE __u64 hf_program_bytes(__u32 instructions) { return (__u64)instructions * HF_PROGRAM_INSTRUCTION + HF_PAGE; }

#endif /* HOLDFAST_CORE_BPF_MEMORY_H */
