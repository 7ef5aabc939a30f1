// SPDX-License-Identifier: Apache-2.0
// machine_label NAME [VALUE]: gives descriptor 198 a label that holdfastd keeps, or takes it away,
// by the maps that an unguarded holdfastd has pinned. Exits with the errno.
#include <cerrno>

#include "backend/lsm/machine/machine_labels.h"
#include "kernel/bpf/bpf_pin.h"
#include "label_by.h"

int main(int argc, char** argv) {
  using namespace holdfast;
  const std::string pins = "/sys/fs/bpf/holdfast/machine/";
  const auto instances = kernel::directory_entries(pins);
  if (argc < 2 || !instances || instances->empty()) return EINVAL;
  const auto open = [&](const char* map) {
    auto pin = kernel::open_pinned(pins + instances->back() + "/map_" + map);
    return pin ? pin->release() : -1;  // until this ends
  };
  auto labels = backend::lsm::MachineLabels::open(
      {false, open("machine_labels"), open("label_store"), open("label_key")});
  if (!labels) return labels.error().code;
  auto all = labels->labels_of(label_by_fd);
  if (!all) return all.error().code;
  std::erase_if(*all, [&](const auto& label) { return label.first == argv[1]; });
  if (argc > 2) all->emplace_back(argv[1], argv[2]);
  const auto set = labels->set_labels(label_by_fd, *all);
  return set ? 0 : set.error().code;
}
