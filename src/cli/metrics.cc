// SPDX-License-Identifier: Apache-2.0
// `holdfast metrics`: prints the metrics of holdfastd once, or answers one HTTP request with them.
// It does not listen: a socket unit, or inetd, starts one unprivileged process for each request.
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <string>

#include "base/result.h"
#include "cli/commands.h"
#include "rpc/client.h"
#include "rpc/control_interface.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMaxRequest = 8192;  // bytes
constexpr unsigned kTimeoutS = 10;         // SIGALRM ends the process after this time

Result<std::string> exposition(const ControlOptions& options) {
  auto connected = rpc::Client::connect(options.socket);
  if (!connected) {
    Error error = std::move(connected).error();
    error.detail = "is holdfastd running?";
    return error;
  }
  rpc::Client client = *std::move(connected);
  HF_TRY_ASSIGN(const auto reply, client.call(std::string(rpc::kControlInterface) + ".Metrics",
                                              nlohmann::json::object()));
  if (!reply.error.empty()) return Error{EIO, "metrics", reply.error, {}};
  return reply.parameters.value("exposition", std::string());
}

// Reads the head of a request, up to the empty line, and returns its first line. Empty: there is no
// request, or its head is too long.
std::string read_request() {
  std::string head;
  while (head.size() < kMaxRequest && !head.ends_with("\r\n\r\n") && !head.ends_with("\n\n")) {
    const int c = std::cin.get();
    if (c == std::char_traits<char>::eof()) return "";
    head += static_cast<char>(c);
  }
  if (head.size() >= kMaxRequest) return "";
  return head.substr(0, head.find_first_of("\r\n"));
}

struct Response {
  const char* status;
  std::string body;
  const char* type = "text/plain; charset=utf-8";
};

Response respond(const ControlOptions& options, const std::string& request) {
  if (request.empty()) return {"400 Bad Request", ""};
  if (!request.starts_with("GET ") && !request.starts_with("HEAD "))
    return {"405 Method Not Allowed", ""};
  const std::size_t begin = request.find(' ') + 1;
  const std::string target = request.substr(begin, request.find_first_of(" ?", begin) - begin);
  if (target != "/metrics") return {"404 Not Found", "/metrics\n"};
  const auto text = exposition(options);
  if (!text) return {"503 Service Unavailable", text.error().message() + "\n"};
  return {"200 OK", *text, "text/plain; version=0.0.4; charset=utf-8"};
}

void serve_one(const ControlOptions& options) {
  alarm(kTimeoutS);
  const std::string request = read_request();
  const Response response = respond(options, request);
  fmt::print("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
             response.status, response.type, response.body.size(),
             request.starts_with("HEAD ") ? "" : response.body);
}

}  // namespace

int metrics(const MetricsOptions& options) {
  if (options.http) {
    serve_one(options);
    return kExitOk;  // errors are in the HTTP response
  }
  const auto text = exposition(options);
  if (!text) {
    fmt::print(stderr, "holdfast metrics: {}\n", text.error().message());
    return kExitFailed;
  }
  fmt::print("{}", *text);
  return kExitOk;
}

}  // namespace holdfast::cli
