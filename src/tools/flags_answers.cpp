// One line of JSON in, one out: tool_answer for each line of standard input. The differential test
// of tests/sdk feeds it thousands.
#include <cstdio>
#include <string>

#include "hogflare/flags_tools.h"
#include "system_zones.h"

int main() {
  hogflare::tools::SystemZones host;
  hogflare::Zones zones(host);
  std::string line;
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c != '\n') {
      line.push_back(static_cast<char>(c));
      continue;
    }
    std::printf("%s\n", hogflare::flags::tool_answer(line, zones).c_str());
    line.clear();
  }
  return 0;
}
