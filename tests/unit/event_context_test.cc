// SPDX-License-Identifier: Apache-2.0
// The fields that tell where and when an event of many machines happened.
#include "events/event_context.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "bundle/identity.h"
#include "events/guard_event.h"

namespace holdfast::policy {
namespace {

TEST(EventContext, IsAddedAtTheEnd) {
  EventContext context{
      "0123", "b-1", 7, 1'795'896'105'000'000'012, "2026-11-28.1", "/system.slice/a\"b.service"};
  const std::string text = with_context(R"({"version":1,"guard":"pin","id":3})", context);
  EXPECT_TRUE(text.starts_with(R"({"version":1,"guard":"pin","id":3,"schema":1,"machine":"0123")"))
      << text;
  EXPECT_TRUE(is_guard_event(text));
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["sequence"], 7);
  EXPECT_EQ(json["policy_name"], "2026-11-28.1");
  EXPECT_EQ(json["unit"], "a\"b.service");
  EXPECT_FALSE(json.contains("container"));
  const auto little = nlohmann::json::parse(with_context(R"({"id":3})", {}));
  EXPECT_EQ(little.size(), 4u);  // id, schema, sequence, time
}

TEST(EventContext, TimeIsUtc) {
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(utc_text(1'709'208'000'000'000'001), "2024-02-29T12:00:00.000000001Z");
}

TEST(EventContext, AContainerIsKnownByItsCgroup) {
  const std::string id(64, 'a');
  EXPECT_EQ(place_of_cgroup("/system.slice/docker-" + id + ".scope").container, id);
  EXPECT_EQ(place_of_cgroup("/kubepods/pod1/" + id).container, id);
  EXPECT_EQ(place_of_cgroup("/machine.slice/libpod-" + id + ".scope/container").container, id);
  EXPECT_EQ(place_of_cgroup("/system.slice/docker-" + id.substr(1) + ".scope").container, "");
  EXPECT_EQ(place_of_cgroup("/system.slice/nginx.service/worker").unit, "nginx.service");
  EXPECT_EQ(place_of_cgroup("/").unit, "");
}

TEST(Identity, IsDerivedFromTheMachineId) {
  const std::string file =
      (std::filesystem::temp_directory_path() / ("machine-id." + std::to_string(getpid())))
          .string();
  const std::string id = "00112233445566778899aabbccddeeff";
  std::ofstream(file) << id << "\n";
  const auto identity = bundle::machine_identity(file);
  ASSERT_TRUE(identity);
  EXPECT_EQ(*identity, "ccfaca38a5af02656061d0153c7e64d7");  // as the agent derives it
  EXPECT_EQ(*bundle::ring_number(*identity), 61u);
  std::ofstream(file) << "uninitialized\n";
  EXPECT_FALSE(bundle::machine_identity(file));
  std::filesystem::remove(file);
  EXPECT_FALSE(bundle::machine_identity(file));
}

TEST(Identity, TheNumbersOfMachinesAreEvenlySpread) {
  std::map<unsigned, int> count;
  for (int i = 0; i < 10000; i++) count[*bundle::ring_number(std::to_string(i))]++;
  EXPECT_EQ(count.size(), 100u);
  EXPECT_EQ(count.begin()->first, 1u);
  for (const auto& [number, machines] : count) EXPECT_NEAR(machines, 100, 50) << number;
}

}  // namespace
}  // namespace holdfast::policy
