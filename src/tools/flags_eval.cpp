// Reads the arguments of tool_eval from standard input, writes its report, and exits with 1 when
// the document or the request is refused.
#include <cstdio>
#include <string>

#include "hogflare/flags_tools.h"
#include "system_zones.h"

int main() {
  std::string input;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, stdin)) > 0;) {
    input.append(buffer, n);
  }
  hogflare::tools::SystemZones host;
  hogflare::Zones zones(host);
  const std::string report = hogflare::flags::tool_eval(input, zones);
  std::printf("%s\n", report.c_str());
  return report.rfind("{\"ok\":true", 0) == 0 ? 0 : 1;
}
