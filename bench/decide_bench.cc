// SPDX-License-Identifier: Apache-2.0
// What a decision costs, and what it costs to compile a policy.
//
// Decisions are given as multiples of a call of an empty function with the same arguments, measured
// in the same run. Each call decides about another profile, so that a large policy pays for the
// cache lines it touches. Compiling is a multiple of reading the same text as TOML, and its memory
// is what a process needs beyond one that does nothing.
#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "core/decide.h"
#include "policy/document.h"
#include "policy/load.h"

namespace {

using namespace holdfast;
using Clock = std::chrono::steady_clock;

constexpr unsigned kStatementsOfProfile = 10;
constexpr std::array<unsigned, 3> kStatements = {1, 100, 10'000};

// Profiles of ten statements each: four of namespaces, three of cgroups, three socket rules.
std::string policy_text(unsigned statements) {
  if (statements == 1) return "version = 1\n[profile.p0]\nnamespaces.enter = \"none\"\n";
  std::string text = "version = 1\n";
  for (unsigned i = 0; i < statements / kStatementsOfProfile; i++) {
    text += fmt::format(
        "[profile.p{0}]\ncgroup = \"/p{0}\"\nnamespaces.create = [\"net\"]\nnamespaces.enter = "
        "\"lock\"\n"
        "namespaces.track = true\nnamespaces.visitors = \"lock\"\ncgroups.leave = [\"p{0}\"]\n"
        "cgroups.join = [\"p0\"]\ncgroups.inside = \"any\"\n",
        i);
    for (unsigned rule = 0; rule < 3; rule++)
      text += fmt::format(
          "[[profile.p{}.socket]]\non = [\"connect\"]\nlabel = {{ \"user.x\" = \"v{}\" }}\nverdict "
          "= \"deny\"\n",
          i, rule);
  }
  return text;
}

std::string socket_text(unsigned rules) {
  std::string text = "version = 1\n";
  for (unsigned rule = 0; rule < rules; rule++)
    text += fmt::format(
        "[[profile.p0.socket]]\non = [\"connect\"]\nlabel = {{ \"user.x\" = \"v{}\" }}\nverdict = "
        "\"deny\"\n",
        rule);
  return text;
}

std::unique_ptr<const policy::Compiled> compiled(const std::string& text) {
  policy::LoadResult result = policy::load({{"bench.toml", text}});
  if (result.policy == nullptr) {
    fmt::print(stderr, "{}", policy::render(result.diagnostics[0]));
    std::exit(1);
  }
  return std::move(result.policy);
}

[[gnu::noinline]] void decide(const hf_tables* tables, const hf_request* request,
                              hf_verdict* verdict) {
  hf_decide(tables, request, verdict);
}

[[gnu::noinline]] void decide_nothing(const hf_tables*, const hf_request*, hf_verdict*) {
  benchmark::ClobberMemory();
}

hf_request request_of(unsigned hook) {
  hf_request r{};
  r.op = static_cast<__u16>(hook);
  r.ns_types = HF_NS_NET;
  r.flags = HF_REQ_TARGET_KNOWN;
  r.sock_op = HF_SOCK_CONNECT;
  r.sock_family = HF_FAMILY_UNIX;
  r.own_labels[0] = HF_LABEL_ID_OTHER;  // meets no rule: all are looked at
  return r;
}

template <auto function>
void measure(benchmark::State& state, const hf_tables& tables, hf_request request) {
  const unsigned profiles = tables.profile_count - 1;
  unsigned profile = 0;
  hf_verdict verdict;
  for (auto _ : state) {
    profile = profile + 7 < profiles ? profile + 7 : (profile + 7) % profiles;
    request.subject = static_cast<__u16>(profile + 1);
    request.src_chain[0] = request.subject;
    function(&tables, &request, &verdict);
    benchmark::DoNotOptimize(verdict);
  }
}

// Prints each time as a multiple of the first, which is the floor.
class RatioReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.aggregate_name != "median") continue;
      const double time_ns = run.GetAdjustedCPUTime();
      if (floor_ns_ == 0) floor_ns_ = time_ns;
      fmt::print("{:<44} {:>8.1f} x   ({:.1f} ns)\n", run.run_name.function_name,
                 time_ns / floor_ns_, time_ns);
    }
  }

 private:
  double floor_ns_ = 0;
};

template <typename Work>
double seconds_of(Work work) {
  double best = 1e9;
  for (int i = 0; i < 5; i++) {
    const auto start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

// Peak memory of a child that does this, in KiB.
template <typename Work>
long peak_kib(Work work) {
  const pid_t pid = fork();
  if (pid == 0) {
    work();
    _exit(0);
  }
  rusage usage{};
  int status = 0;
  wait4(pid, &status, 0, &usage);
  return usage.ru_maxrss;
}

struct Compiling {
  std::string text;
  double memory_mib = 0;

  policy::LoadResult run() const { return policy::load({{"bench.toml", text}}); }
};

// In children of a process that has compiled nothing yet: what it once used would count as theirs.
std::vector<Compiling> measure_memory() {
  std::vector<Compiling> all;
  for (const unsigned statements : kStatements) {
    Compiling one{policy_text(statements)};
    const long idle_kib = peak_kib([] {});
    const long compile_kib = peak_kib([&] { benchmark::DoNotOptimize(one.run()); });
    one.memory_mib = static_cast<double>(compile_kib - idle_kib) / 1024;
    all.push_back(std::move(one));
  }
  return all;
}

void report_compiling(unsigned statements, const Compiling& one) {
  const policy::Source source{"bench.toml", one.text};
  const double read_s = seconds_of([&] {
    policy::Value root;
    std::vector<policy::Diagnostic> diagnostics;
    parse_document(source, root, diagnostics);
    benchmark::DoNotOptimize(root);
  });
  const double compile_s = seconds_of([&] { benchmark::DoNotOptimize(one.run()); });
  fmt::print(
      "compile {:>6} statements ({:>4} KiB of TOML) {:>6.2f} x reading it as TOML ({:.2f} ms), "
      "{:.1f} MiB\n",
      statements, one.text.size() / 1024, compile_s / read_s, compile_s * 1e3, one.memory_mib);
}

void add(const std::string& name, const hf_tables& tables, unsigned hook,
         void (*run)(benchmark::State&, const hf_tables&, hf_request)) {
  benchmark::RegisterBenchmark(
      name.c_str(),
      [&tables, hook, run](benchmark::State& state) { run(state, tables, request_of(hook)); })
      ->Repetitions(5)
      ->ReportAggregatesOnly()
      ->MinTime(0.1);
}

}  // namespace

int main() {
  const std::vector<Compiling> all = measure_memory();
  for (std::size_t i = 0; i < all.size(); i++) report_compiling(kStatements[i], all[i]);
  const auto one = compiled(policy_text(1));
  const auto hundred = compiled(policy_text(100));
  const auto many = compiled(policy_text(10'000));
  const auto longest = compiled(socket_text(HF_MAX_PROFILE_SOCKET_RULES));
  add("empty function", *many->tables, HF_OP_NAMESPACE_INSTALL, measure<decide_nothing>);
  for (const auto& [name, policy] : {std::pair("1 rule", &one), std::pair("100 rules", &hundred),
                                     std::pair("10,000 rules", &many)}) {
    const hf_tables& tables = *(*policy)->tables;
    add(fmt::format("enter a namespace, {}", name), tables, HF_OP_NAMESPACE_INSTALL,
        measure<decide>);
    add(fmt::format("make a namespace, {}", name), tables, HF_OP_NAMESPACE_ALLOC, measure<decide>);
    add(fmt::format("move out of a cgroup, {}", name), tables, HF_OP_CGROUP_ATTACH,
        measure<decide>);
    add(fmt::format("connect, {}", name), tables, HF_OP_SOCKET, measure<decide>);
  }
  add("connect, the last of 256 rules of its profile", *longest->tables, HF_OP_SOCKET,
      measure<decide>);
  RatioReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
}
