// SPDX-License-Identifier: Apache-2.0
#include "policy/unit_name.h"

#include <fmt/core.h>

#include <algorithm>

namespace holdfast::policy {
namespace {

constexpr std::string_view kSlice = ".slice";

// "a-b.slice" -> "/a.slice/a-b.slice"; "-.slice" -> "". Empty and `bad`: not a slice.
std::string path_of_slice(std::string_view slice, bool& bad) {
  if (slice == "-.slice") return "";
  const std::string_view name = slice.substr(0, slice.size() - kSlice.size());
  bad = name.empty() || name.starts_with('-') || name.ends_with('-') ||
        name.find("--") != std::string_view::npos;
  std::string path;
  for (std::size_t end = name.find('-');; end = name.find('-', end + 1)) {
    path += fmt::format("/{}{}", name.substr(0, end), kSlice);
    if (end == std::string_view::npos) return path;
  }
}

// systemd escapes '-' in the part of a slice's name that it makes of a template's name.
std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '-')
      text += "\\x2d";
    else
      text += c;
  }
  return text;
}

}  // namespace

UnitCgroup cgroup_of_unit(std::string_view unit) {
  const std::size_t slash = unit.rfind('/');
  const std::string_view last = slash == std::string_view::npos ? unit : unit.substr(slash + 1);
  const std::size_t dot = last.rfind('.');
  const std::string_view type = dot == std::string_view::npos ? "" : last.substr(dot);
  if (unit.starts_with('/')) return {"", "it is a path: write cgroup = in place of unit ="};
  if (std::ranges::any_of(unit, [](char c) { return static_cast<unsigned char>(c) <= ' '; }))
    return {"", "it has a blank or a control character"};
  if (type != ".service" && type != ".scope" && type != kSlice)
    return {"", "its name has to end in .service, .scope or .slice"};
  if (dot == 0) return {"", "its name is missing"};
  bool bad = false;
  if (type == kSlice) {
    if (slash != std::string_view::npos) return {"", "the name of a slice says where it lies"};
    const std::string path = path_of_slice(last, bad);
    if (bad) return {"", "a slice is named like a-b.slice"};
    return {path.empty() ? "/" : path, ""};
  }
  std::string parent = "/system.slice";
  if (slash != std::string_view::npos) {
    const std::string_view slice = unit.substr(0, slash);
    if (!slice.ends_with(kSlice) || slice.find('/') != std::string_view::npos)
      return {"", "before the slash it has to have the name of a slice: a-b.slice/UNIT"};
    parent = path_of_slice(slice, bad);
    if (bad) return {"", "a slice is named like a-b.slice"};
  } else if (const std::size_t at = last.find('@');
             type == ".service" && at != std::string_view::npos) {
    parent += fmt::format("/system-{}{}", escaped(last.substr(0, at)), kSlice);
  }
  return {fmt::format("{}/{}", parent, last), ""};
}

}  // namespace holdfast::policy
