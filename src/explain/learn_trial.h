// SPDX-License-Identifier: Apache-2.0
// Finds, for one setting at a time, the strictest value that refuses no event.
//
// Each value is tried with hf_decide() on tables that allow everything but that setting. One
// setting at a time is enough: every check in decide.h depends on the settings of one profile only,
// and a check can only add a refusal. So values that refuse nothing one by one refuse nothing
// together.
#ifndef HOLDFAST_EXPLAIN_LEARN_TRIAL_H
#define HOLDFAST_EXPLAIN_LEARN_TRIAL_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "events/event_file.h"
#include "policy/compiled.h"
#include "policy/keys.h"

namespace holdfast::policy {

// Events with the same facts.
struct Seen {
  hf_request request;
  EventIds ids;
};

// A value, with the events that need it. The next stricter value would refuse those.
struct Needed {
  std::string value;  // as TOML: an element of a list, or a whole value
  EventIds ids;
  std::string why;  // without events: why it is there all the same; may be empty
};

// The learned value of a setting: a list, or one value.
struct LearnedSetting {
  bool stated = false;  // false: the policy does not need the setting
  bool is_list = false;
  std::vector<Needed> values;  // the elements of a list, otherwise exactly one value
};

class Trial {
 public:
  // Borrows both. `names` is the policy of names under which the events in `seen` were read.
  Trial(const std::vector<Seen>& seen, const Compiled& names);

  // Is this event refused by tables that allow everything?
  [[nodiscard]] bool refused_always(const Seen& seen);

  // For a key about members, visitors, moves or marks whose value is a word or a list; of others
  // nothing is stated.
  LearnedSetting strictest(const Key& key, std::uint16_t profile);

 private:
  using Ids = EventIds;
  [[nodiscard]] Ids refused();
  LearnedSetting word(const WordKey& key, std::uint16_t profile);
  LearnedSetting types(const TypesKey& key, std::uint16_t profile);
  LearnedSetting movers(std::uint8_t hf_profile::*field, std::uint16_t profile);
  LearnedSetting inside(const InsideKey& key, std::uint16_t profile);
  void set_movers(std::uint16_t without);
  void reset(std::uint16_t profile);

  const std::vector<Seen>& seen_;
  const Compiled& names_;
  std::unique_ptr<hf_tables> tables_;
};

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_TRIAL_H
