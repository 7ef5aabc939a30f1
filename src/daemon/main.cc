// SPDX-License-Identifier: Apache-2.0
// `holdfastd`: its arguments, and nothing else.
#include <CLI/CLI.hpp>

#include "daemon/service.h"

int main(int argc, char** argv) {
  using namespace holdfast::daemon;
  CLI::App app{"Enforces the policies of a directory for the whole machine, until it ends."};
  app.name("holdfastd");
  app.set_version_flag("--version", "holdfastd " HOLDFAST_VERSION);
  app.footer(
      "SIGHUP loads the policy anew; SIGTERM ends it, and enforcement with it.\n"
      "Exit codes: 0 ok, 1 failed, 2 usage or policy error, 77 not possible on this machine.");
  Options options;
  options.dirs.paths = {"/usr/lib/holdfast/policy.d", "/etc/holdfast/policy.d"};
  std::vector<std::string> dirs;
  std::string format = "pretty";
  bool only_check = false;
  bool allow_unenforced = false;
  app.add_option("--policy-dir", dirs,
                 "Directory of *.toml files; a later one hides files of the same name")
      ->type_name("DIR")
      ->allow_extra_args(false);
  app.add_option("--format", format, "Events on standard output: pretty or json")
      ->check(CLI::IsMember({"pretty", "json"}))
      ->type_name("FORMAT");
  app.add_flag("--check", only_check, "Validate the policy and end");
  app.add_flag("--allow-unenforced", allow_unenforced,
               "Start although some rules are not enforced");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (!dirs.empty()) options.dirs = {dirs, Missing::is_error};
  options.format = format == "json" ? EventFormat::json : EventFormat::pretty;
  options.unheld = allow_unenforced ? Unheld::allow : Unheld::refuse;
  return only_check ? check(options) : serve(options);
}
