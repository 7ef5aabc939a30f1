// SPDX-License-Identifier: Apache-2.0
// Finds, for one setting at a time, the strictest value that refuses no event.
//
// It is found by trying, not by reasoning: the tables allow everything but the one setting that is
// tried, and hf_decide() says what would be refused. That is enough, because every check in
// decide.h looks at the settings of one profile only and each can only add a refusal: values that
// refuse nothing one by one refuse nothing together.
#ifndef HOLDFAST_EXPLAIN_LEARN_TRIAL_H
#define HOLDFAST_EXPLAIN_LEARN_TRIAL_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "policy/compiled.h"
#include "policy/enum_names.h"
#include "policy/model.h"

namespace holdfast::policy {

// Events with the same facts.
struct Seen {
  hf_request request;
  std::vector<std::uint64_t> ids;
};

// A value with the events that need it: those that the next stricter value would refuse.
struct Needed {
  std::string value;  // as TOML, a word of a list or a whole value
  std::vector<std::uint64_t> ids;
};

// A list, or one value.
struct LearnedSetting {
  bool stated = false;  // false: nothing to say
  bool is_list = false;
  std::vector<Needed> values;  // of a list its words, else exactly one
};

class Trial {
 public:
  // Borrows `seen` and `names`, the universe of names under which it was read.
  Trial(const std::vector<Seen>& seen, const Compiled& names);

  // Is this event refused although nothing forbids anything?
  [[nodiscard]] bool refused_always(const Seen& seen);

  LearnedSetting create(std::uint16_t profile);
  LearnedSetting enter(std::uint16_t profile);
  LearnedSetting visitors(std::uint16_t profile);
  LearnedSetting leave(std::uint16_t profile);
  LearnedSetting join(std::uint16_t profile);
  LearnedSetting mark_by(std::uint16_t profile);
  LearnedSetting inside(std::uint16_t profile);

 private:
  using Ids = std::vector<std::uint64_t>;
  [[nodiscard]] Ids refused();
  LearnedSetting word(std::uint8_t hf_profile::*field, std::uint16_t profile, Names names,
                      const std::vector<std::uint32_t>& strict_to_loose);
  LearnedSetting movers(std::uint16_t profile, std::uint8_t hf_profile::*field);
  void set_movers(std::uint16_t without);
  void reset(std::uint16_t profile);

  const std::vector<Seen>& seen_;
  const Compiled& names_;
  std::unique_ptr<hf_tables> tables_;
};

}  // namespace holdfast::policy

#endif  // HOLDFAST_EXPLAIN_LEARN_TRIAL_H
