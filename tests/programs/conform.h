// SPDX-License-Identifier: Apache-2.0
// The tables of tests/conformance and tests/escape: cases of a policy, a program that acts under
// it, and what has to come of it.
//
// clang-format off
//   policy NAME             followed by lines "| text of the policy"
//   case NAME
//   use POLICY [unshare=T,...]  the policy, and the namespaces that the program starts in
//   run PROGRAM ARGUMENT...     of the build's tests/bin; "quoted words" are one argument; one that is {A,B}
//                               makes a case of each
//   visit PROGRAM ARGUMENT...   meanwhile, outside of the sandbox (the program parks)
//   bare LINE                   standard output without holdfast: that the attack is a real one
//   says LINE                   standard output under holdfast; may repeat, in order; "A || B": either
//   event HOOK WAY TYPE VERDICT REASON KEY [audit]   in order; KEY "-" is no rule
//   event guard WORD [HELPER]  the same for what is refused whatever the policy says
//   maybe HOOK ...              an event that may also be there
//   only BACKEND...             where it holds; run: lsm and supervisor; bpf: lsm, service and container
//   needs root|userns|scopes    not in a user namespace of an ordinary user; only there; Landlock's scopes
//   optional                    the kernel may lack what the attack is made of: said by the bare run
//   loose                       the events of a race: each listed one at least once, and no other
//   alone                       not in one run with other cases of the same policy
// clang-format on
#ifndef HOLDFAST_TESTS_CONFORM_H
#define HOLDFAST_TESTS_CONFORM_H

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace conform {

struct Case {
  std::string name{}, policy{}, unshare{}, needs{}, where{};
  std::vector<std::string> only{}, run{}, visit{}, bare{}, says{}, events{}, maybe{};
  bool optional = false, loose = false, alone = false;
};

struct Table {
  std::map<std::string, std::string> policies;
  std::vector<Case> cases;
};

inline std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false, any = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) words.push_back(word);
      word.clear();
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (any) words.push_back(word);
  return words;
}

inline void read_use(const std::vector<std::string>& words, Case& c) {
  c.policy = words.at(0);
  for (std::size_t i = 1; i < words.size(); i++) {
    if (!words[i].starts_with("unshare=")) throw std::runtime_error("unknown setting " + words[i]);
    c.unshare = words[i].substr(8);
  }
}

inline void read_case_line(const std::string& key, const std::string& rest, Case& c) {
  if (key == "use") return read_use(words_of(rest), c);
  if (key == "run")
    c.run = words_of(rest);
  else if (key == "visit")
    c.visit = words_of(rest);
  else if (key == "bare")
    c.bare.push_back(rest);
  else if (key == "says")
    c.says.push_back(rest);
  else if (key == "event")
    c.events.push_back(rest);
  else if (key == "maybe")
    c.maybe.push_back(rest);
  else if (key == "only")
    c.only = words_of(rest);
  else if (key == "needs")
    c.needs = rest;
  else if (key == "optional")
    c.optional = true;
  else if (key == "alone")
    c.alone = true;
  else if (key == "loose")
    c.loose = true;
  else
    throw std::runtime_error("unknown word '" + key + "'");
}

// A case for each word of the argument {A,B}, if there is one.
inline std::vector<Case> expand(const Case& c) {
  std::vector<Case> cases;
  for (std::size_t i = 0; i < c.run.size(); i++) {
    const std::string& word = c.run[i];
    if (!word.starts_with("{") || !word.ends_with("}")) continue;
    std::istringstream list(word.substr(1, word.size() - 2));
    for (std::string one; std::getline(list, one, ',');) {
      cases.push_back(c);
      cases.back().run[i] = one;
      cases.back().name += " " + one;
    }
    return cases;
  }
  return {c};
}

// Throws std::runtime_error with file:line.
inline Table read_table(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  Table table;
  std::string line, policy;
  for (int number = 1; std::getline(file, line); number++) {
    const std::string where = path + ":" + std::to_string(number);
    const std::size_t space = line.find(' ');
    const std::string key = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (key.empty() || key[0] == '#') continue;
    try {
      if (key == "policy")
        policy = rest;
      else if (key == "|")
        table.policies[policy] += rest + "\n";
      else if (key == "case")
        table.cases.push_back({.name = rest, .where = where});
      else if (table.cases.empty())
        throw std::runtime_error("before the first case");
      else
        read_case_line(key, rest, table.cases.back());
    } catch (const std::exception& error) {
      throw std::runtime_error(where + ": " + error.what());
    }
  }
  std::vector<Case> expanded;
  for (const Case& c : table.cases)
    for (Case& one : expand(c)) expanded.push_back(std::move(one));
  table.cases = std::move(expanded);
  for (const Case& c : table.cases)
    if (!table.policies.contains(c.policy) || c.run.empty())
      throw std::runtime_error(c.where + ": no such policy, or nothing to run");
  return table;
}

}  // namespace conform

#endif  // HOLDFAST_TESTS_CONFORM_H
