// SPDX-License-Identifier: Apache-2.0
// A pair of keys for tests of bundles. It protects nothing.
#ifndef HOLDFAST_TESTS_FAKES_BUNDLE_KEY_H
#define HOLDFAST_TESTS_FAKES_BUNDLE_KEY_H

namespace holdfast::fakes {

inline constexpr char kPrivateKey[] = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJQlRsuq1EN2Com0HL4+QJaqMpIF3ToXUx6C35vWRx1M
-----END PRIVATE KEY-----
)";
inline constexpr char kPublicKey[] = R"(-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA5M3vOhKbhvLNvIOQFXCU/zUfOiGAmD5It5paQKxCQQc=
-----END PUBLIC KEY-----
)";

}  // namespace holdfast::fakes

#endif  // HOLDFAST_TESTS_FAKES_BUNDLE_KEY_H
