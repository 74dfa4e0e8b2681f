// A token as Cloudflare Access signs them, made once for tests with a key that was thrown away.
#pragma once

#include <cstdint>
#include <string_view>

namespace hogflare::test {

inline constexpr std::string_view kAccessIssuer = "https://acme.cloudflareaccess.com";
inline constexpr std::string_view kAccessAudience = "the-audience";
// Holds from 2023-11-14 to 2100-01-01, and names ada@example.com.
inline constexpr int64_t kAccessNowMs = 1'800'000'000'000;
inline constexpr std::string_view kAccessKeys =
    R"({"keys":[{"kty":"RSA","alg":"RS256","kid":"k1","e":"AQAB","n":")"
    "1xhkMxca59Dg51T_WB8EMQlKJyjDONsNxUS0qaHB7kMQcaVzmWMupbTFeVXY8lKjOxpppffb5AMFi9ijFeq93dVi"
    "N_vCCPpUxZ0YsIW_-USAlp91M4CAmMNNAjwVOHOtZp9gTd_PG6R-EtXIFMstpoOteQqPLw6GR6xs2e2EuxfzXcU4"
    "AiM_SniVxtqco_ouM1SiFLCen6VfvmuTZWY-XbUXYw5VOV31kPmEuTVtWGDuvBfK4NLv_98T-Wbtr24ZXyB_ZnLJ"
    "Ez0i6UTdb1qkjHsqmWgsMNEwCtg1r2E7gu8rA5q9PMzLvkaDHWEA0yrgLOtYF-261pNRnnk9oobvQw"
    R"("}]})";
inline constexpr std::string_view kAccessToken =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.eyJhdWQiOlsidGhlLWF1ZGllbmNlIl0sImlzcyI6Imh0dHBzOi8v"
    "YWNtZS5jbG91ZGZsYXJlYWNjZXNzLmNvbSIsImV4cCI6NDEwMjQ0NDgwMCwibmJmIjoxNzAwMDAwMDAwLCJlbWFp"
    "bCI6ImFkYUBleGFtcGxlLmNvbSJ9"
    "."
    "XnFjMe7NxZwAEHZiWLMj7CHk8N7KuzCjElehWfnDaVhvZRSX23ar4_tqAWlpnhYOSG8fkXorXDn806GqSqz900eK"
    "mXIpSneFOlpviInfwOWG1aH3xI3DBp3JgEphPRCSl6avz4RpTRngwJTmO5MUVpX01hNpcG_WO1ZEkD6269sjt2Ct"
    "qylf2EKCQVBzGRrNAEpWDM05zaOMWq32koNY0Eg3pFFlW9P8rBiirWL7Q5dZFNHBgPIeWyqt__BvUum8HKlK6vY6"
    "5JS342VbL2bn5xVYfDNM0se94ey02dfI261PqsYF1XLSD7pegIUn_yYd7jpZPbAkjJgXzSBhwD5r1w";

}  // namespace hogflare::test
