// SPDX-License-Identifier: Apache-2.0
// Reads TOML. Only this file includes the TOML library, because its header compiles slowly and it
// throws exceptions.
#include "policy/document.h"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <stdexcept>

#include "policy/source_lines.h"
#include "policy/toml_scan.h"

namespace holdfast::policy {
namespace {

// Deeper values are not copied. No key of the policy language is that deep, so the key above is
// reported as unknown.
constexpr int kMaxDepth = 32;

class Converter {
 public:
  explicit Converter(const SourceLines& lines) : lines_(lines) {}

  Value convert(const toml::node& node, int depth) const {
    Value value;
    value.where = span(node.source());
    if (const auto* text = node.as_string()) {
      value.kind = Kind::string;
      value.string = text->get();
    } else if (const auto* number = node.as_integer()) {
      value.kind = Kind::integer;
      value.integer = number->get();
    } else if (const auto* boolean = node.as_boolean()) {
      value.kind = Kind::boolean;
      value.boolean = boolean->get();
    } else if (const auto* array = node.as_array(); array != nullptr && depth < kMaxDepth) {
      value.kind = Kind::array;
      for (const toml::node& item : *array) value.items.push_back(convert(item, depth + 1));
    } else if (const auto* table = node.as_table(); table != nullptr && depth < kMaxDepth) {
      convert_table(*table, depth, value);
    }
    return value;
  }

 private:
  Span span(const toml::source_region& region) const {
    return lines_.span(region.begin.line, region.begin.column, region.end.line, region.end.column);
  }

  // The library sorts tables by key. A policy depends on the order in the file.
  void convert_table(const toml::table& table, int depth, Value& value) const {
    value.kind = Kind::table;
    for (const auto& [key, node] : table) {
      Entry entry;
      entry.key = key.str();
      entry.key_where = span(key.source());
      entry.value = convert(node, depth + 1);
      entry.where = lines_.statement(entry.key_where, entry.value.where);
      value.entries.push_back(std::move(entry));
    }
    std::stable_sort(
        value.entries.begin(), value.entries.end(),
        [](const Entry& a, const Entry& b) { return before(a.key_where, b.key_where); });
  }

  const SourceLines& lines_;
};

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::string:
      return "a string";
    case Kind::integer:
      return "an integer";
    case Kind::boolean:
      return "true or false";
    case Kind::array:
      return "a list";
    case Kind::table:
      return "a table";
    case Kind::other:
      break;
  }
  return "a value that policies do not use";
}

const Entry* Value::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

std::string text_of(const Value& value) {
  std::string text;
  switch (value.kind) {
    case Kind::string:
      return fmt::format("\"{}\"", value.string);
    case Kind::integer:
      return fmt::format("{}", value.integer);
    case Kind::boolean:
      return value.boolean ? "true" : "false";
    case Kind::array:
      for (const Value& item : value.items) text += (text.empty() ? "" : ", ") + text_of(item);
      return "[" + text + "]";
    case Kind::table:
      for (const Entry& entry : value.entries)
        text += fmt::format("{} {} = {}", text.empty() ? "" : ",", entry.key, text_of(entry.value));
      return "{" + text + (text.empty() ? "}" : " }");
    case Kind::other:
      break;
  }
  return "…";
}

void parse_document(const Source& source, Value& root, std::vector<Diagnostic>& diagnostics) {
  const SourceLines lines(source);
  root = Value{};
  root.kind = Kind::table;
  root.where = lines.span(1, 1, 1, 1);
  auto add = [&](const Span& where, std::string message) {
    diagnostics.push_back({where, std::move(message), "", ""});
  };
  if (source.text.size() > kMaxSourceBytes)
    return add(root.where, fmt::format("the file is larger than {} MiB", kMaxSourceBytes >> 20));
  if (const auto mistake = scan_toml(lines)) return add(mistake->where, mistake->message);
  try {
    const toml::table table = toml::parse(source.text, source.name);
    root = Converter(lines).convert(table, 0);
  } catch (const toml::parse_error& error) {
    const toml::source_region& at = error.source();
    add(lines.span(at.begin.line, at.begin.column, at.end.line, at.end.column),
        std::string(error.description()));
  } catch (const std::logic_error&) {
    const std::uint32_t line = find_broken_header(lines);
    add(lines.span(line, 1, line, 1), "not a table header: a key must follow '['");
  } catch (const std::exception& error) {
    add(root.where, fmt::format("cannot be read: {}", error.what()));
  }
}

}  // namespace holdfast::policy
