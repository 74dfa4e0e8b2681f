// Reads the arguments of tool_insights, one JSON object a line, from standard input and writes an
// answer a line; exits with 1 when the last was refused.
#include "hogflare/insights.h"

#include <cstdio>
#include <string>

#include "system_zones.h"

int main() {
  hogflare::tools::SystemZones host;
  hogflare::Zones zones(host);
  std::string line;
  bool ok = true;
  for (int c = std::fgetc(stdin);; c = std::fgetc(stdin)) {
    if (c != EOF && c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    if (!line.empty()) {
      const std::string report = hogflare::insights::tool_insights(line, &zones);
      std::printf("%s\n", report.c_str());
      std::fflush(stdout);
      ok = report.rfind("{\"ok\":true", 0) == 0;
      line.clear();
    }
    if (c == EOF) return ok ? 0 : 1;
  }
}
