// SPDX-License-Identifier: Apache-2.0
// The labels of sockets that holdfastd keeps on kernels that keep none.
#ifndef HOLDFAST_CLI_KEPT_LABELS_H
#define HOLDFAST_CLI_KEPT_LABELS_H

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "rpc/client.h"

namespace holdfast::cli {

// A connection to holdfastd. One thread. Errors of all calls: those of fsetxattr(2) and its family;
// those of calling holdfastd; EPROTO the reply is malformed.
class KeptLabels {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  // Errors: ENOTSUP the kernel keeps labels itself, or holdfastd cannot be reached.
  [[nodiscard]] static Result<KeptLabels> open(const std::string& control_socket);

  [[nodiscard]] Result<Labels> list(int socket_fd);
  [[nodiscard]] Result<std::string> get(int socket_fd, const std::string& name);  // ENODATA
  [[nodiscard]] Result<void> set(int socket_fd, const std::string& name, std::string_view value);
  [[nodiscard]] Result<void> remove(int socket_fd, const std::string& name);  // ENODATA

 private:
  explicit KeptLabels(std::string control_socket) : control_socket_(std::move(control_socket)) {}
  [[nodiscard]] Result<nlohmann::json> call(const char* method, const nlohmann::json& parameters,
                                            int socket_fd);
  std::string control_socket_;
  std::optional<rpc::Client> client_;
};

}  // namespace holdfast::cli

#endif  // HOLDFAST_CLI_KEPT_LABELS_H
