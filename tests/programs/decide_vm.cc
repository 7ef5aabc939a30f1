// SPDX-License-Identifier: Apache-2.0
// Runs the BPF-compiled decision on this kernel: every case of tests/cases, and random policies
// with random requests, compared with the C++ core and with the naive reference.
//
//   decide_vm CASES-DIRECTORY [SEED]
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bpf/decide.skel.h"
#include "core/decide.h"
#include "policy/compile.h"
#include "policy/parse.h"
#include "reference/cases.h"
#include "reference/facts.h"
#include "reference/random_case.h"

namespace {

using namespace holdfast;

constexpr std::size_t kBatch = 64;
constexpr int kRandomPolicies = 400;  // each with one batch: 25,600 pairs
constexpr std::uint64_t kSeed = 20261121;

struct Batch {
  hf_request requests[kBatch];
  hf_verdict verdicts[kBatch];
};

int tap_number = 0;
int tap_failed = 0;

void report(bool passed, const std::string& name) {
  std::printf("%sok %d - %s\n", passed ? "" : "not ", ++tap_number, name.c_str());
  if (!passed) tap_failed++;
}

class BpfCore {
 public:
  ~BpfCore() { decide_bpf__destroy(skeleton_); }

  bool load() {
    skeleton_ = decide_bpf__open_and_load();
    return skeleton_ != nullptr;
  }

  bool set_tables(const hf_tables& tables) {
    const std::uint32_t zero = 0;
    return bpf_map_update_elem(bpf_map__fd(skeleton_->maps.tables), &zero, &tables, BPF_ANY) == 0;
  }

  // Fills in the verdicts.
  bool decide(Batch& batch) {
    const std::uint32_t zero = 0;
    const int map_fd = bpf_map__fd(skeleton_->maps.batches);
    std::memset(batch.verdicts, 0xa5, sizeof(batch.verdicts));
    if (bpf_map_update_elem(map_fd, &zero, &batch, BPF_ANY) != 0) return false;
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    if (bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.decide_batch), &options) != 0)
      return false;
    return options.retval == 0 && bpf_map_lookup_elem(map_fd, &zero, &batch) == 0;
  }

 private:
  decide_bpf* skeleton_ = nullptr;
};

bool same(const hf_verdict& a, const hf_verdict& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

void run_cases(BpfCore& core, const reference::CaseFile& file) {
  auto batch = std::make_unique<Batch>();
  std::string wrong;
  for (std::size_t p = 0; p < file.policies.size(); p++) {
    const policy::Compiled& compiled = *file.policies[p].compiled;
    bool ran = core.set_tables(*compiled.tables);
    for (const reference::Case& c : file.cases) {
      if (c.policy != p) continue;
      *batch = {};
      batch->requests[0] = c.request;
      ran = ran && core.decide(*batch);
      const std::string found =
          ran ? mismatch(c, batch->verdicts[0], compiled) : c.place + ": did not run";
      if (!found.empty()) wrong += "# " + found + "\n";
    }
  }
  report(wrong.empty(), std::to_string(file.cases.size()) + " cases hold for the BPF core");
  std::fputs(wrong.c_str(), stdout);
}

// Compares one batch under one random policy; says what differs first.
bool compare_batch(BpfCore& core, reference::Random& random, Batch& batch) {
  policy::ParseResult parsed = policy::parse({{"random.toml", random_policy(random)}});
  const auto compiled = policy::compile(parsed.model);
  for (hf_request& request : batch.requests) request = random_request(random, *compiled);
  if (!core.set_tables(*compiled->tables) || !core.decide(batch)) {
    std::printf("# the batch did not run\n");
    return false;
  }
  for (std::size_t i = 0; i < kBatch; i++) {
    hf_verdict native;
    hf_decide(compiled->tables.get(), &batch.requests[i], &native);
    const auto bpf = reference::outcome_of(batch.verdicts[i], *compiled);
    const auto naive =
        reference::decide(parsed.model, reference::facts_of(batch.requests[i], *compiled));
    if (same(native, batch.verdicts[i]) && bpf == naive) continue;
    std::printf("# BPF:       %s\n# C++:       %s\n# reference: %s\n", to_string(bpf).c_str(),
                to_string(reference::outcome_of(native, *compiled)).c_str(),
                to_string(naive).c_str());
    return false;
  }
  return true;
}

void run_random(BpfCore& core, std::uint64_t seed) {
  auto batch = std::make_unique<Batch>();
  reference::Random random(seed);
  int agreed = 0;
  while (agreed < kRandomPolicies && compare_batch(core, random, *batch)) agreed++;
  std::printf("# seed %" PRIu64 ", %d policies, %zu requests\n", seed, agreed, agreed * kBatch);
  report(agreed == kRandomPolicies,
         "the BPF core, the C++ core and the reference agree on random pairs");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto file = reference::load_cases(argv[1]);
  if (!file) {
    std::printf("Bail out! %s\n", file.error().message().c_str());
    return 1;
  }
  BpfCore core;
  const bool loaded = core.load();
  report(loaded, "the verifier takes the decision");
  if (loaded) {
    run_cases(core, *file);
    run_random(core, argc > 2 ? std::strtoull(argv[2], nullptr, 10) : kSeed);
  }
  std::printf("1..%d\n", tap_number);
  return tap_failed == 0 ? 0 : 1;
}
