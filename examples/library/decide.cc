// SPDX-License-Identifier: Apache-2.0
// libholdfast in C++: the same as decide.c, and what another policy would decide about the events.
//
//   c++ decide.cc $(pkg-config --cflags --libs holdfast)
#include <cstdint>
#include <holdfast/holdfast.hpp>
#include <iostream>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: " << argv[0] << " POLICY REQUEST [EVENTS]\n";
    return 2;
  }
  try {
    const auto policy = holdfast::api::Policy::load({argv[1]});
    const auto decision = policy.decide(argv[2]);
    std::cout << (decision.goes_through() ? "allowed" : "refused") << " by line " << decision.line
              << '\n'
              << policy.explain(argv[2]);
    if (argc < 4) return 0;
    std::uint64_t events = 0, refused = 0, differ = 0;
    holdfast::api::read_events(argv[3], [&](const holdfast_event& event) {
      events++;
      if (event.decision.verdict == HOLDFAST_DENY) refused += event.decisions;
      const auto now = policy.decide_event(event.json);
      if (static_cast<int>(now.verdict) != event.decision.verdict) differ++;
      return true;
    });
    std::cout << events << " events, " << refused << " refusals\n"
              << differ << " would be decided otherwise\n";
  } catch (const holdfast::api::Error& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
