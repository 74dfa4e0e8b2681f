// What people and groups cost: object calls, storage rows read and written for each event, counted
// where the effects are performed, for typical traffic. Alarms that finish merges are counted too.
// Prints a table, and with --json one JSON line. Targets: docs/IDENTITY.md, "Cost".
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "hogflare/limits.h"
#include "unit/identity_support.h"

using namespace hogflare;
using namespace hogflare::test;

namespace {

constexpr double kNoTarget = -1;

struct Costs {
  uint64_t events = 0;
  uint64_t requests = 0;
  uint64_t calls = 0;
  uint64_t rows_read = 0;
  uint64_t rows_written = 0;
};

// One isolate and its objects; what is sent between reset() and costs() is counted.
class Site {
 public:
  explicit Site(PersonlessMode mode) {
    host_.config.personless = mode;
    host_.config.sinks[static_cast<size_t>(Stream::kPersons)] = SinkKind::kHttp;
    send({event("first", "somebody")});  // leases person ids
    reset();
  }

  static std::string event(const std::string& name, const std::string& id,
                           const std::string& properties = "") {
    return "{\"event\":\"" + name + "\",\"distinct_id\":\"" + id + "\",\"properties\":{" +
           properties + "}}";
  }

  void send(const std::vector<std::string>& events) {
    EventBatch batch;
    for (const std::string& event : events) batch.add(event);
    const RequestRun run(host_, caches_, project_, batch);
    costs_.events += events.size();
    ++costs_.requests;
  }

  void reset() {
    ring();
    costs_ = {};
    calls_ = host_.all_calls();
    rows_read_ = host_.rows_read();
    rows_written_ = host_.rows_written();
  }

  Costs costs() {
    ring();
    costs_.calls = host_.all_calls() - calls_;
    costs_.rows_read = host_.rows_read() - rows_read_;
    costs_.rows_written = host_.rows_written() - rows_written_;
    return costs_;
  }

 private:
  void ring() { host_.ring_alarms(host_.now_ms + 2 * limits::kMergeAlarmMs); }

  ObjectHost host_;
  IdentityCaches caches_;
  Project project_;
  Costs costs_;
  uint64_t calls_ = 0;
  uint64_t rows_read_ = 0;
  uint64_t rows_written_ = 0;
};

struct Traffic {
  const char* name;
  std::function<void(Site&)> prepare;  // not counted
  std::function<void(Site&)> run;
  // At most, in stateless mode.
  double calls_an_event = kNoTarget;
  double rows_an_event = kNoTarget;
};

std::string page(int number) {
  return "\"$browser\":\"Chrome\",\"$os\":\"Linux\",\"$current_url\":\"/page/" +
         std::to_string(number) + "\"";
}

void nothing(Site&) {}

// A posthog-js visit with identified_only, its default: nobody known until $identify.
void browser_visit(Site& site) {
  for (int i = 0; i < 10; ++i) {
    site.send(
        {Site::event("$pageview", "device", page(i) + ",\"$process_person_profile\":false"),
         Site::event("$autocapture", "device", page(i) + ",\"$process_person_profile\":false")});
  }
  site.send({Site::event("$identify", "user", "\"$anon_distinct_id\":\"device\"," + page(9))});
  for (int i = 10; i < 30; ++i) {
    site.send(
        {Site::event("$pageview", "user", page(i)), Site::event("$autocapture", "user", page(i))});
  }
}

void pages_of_known(Site& site) {
  for (int i = 0; i < 50; ++i) {
    site.send(
        {Site::event("$pageview", "user", page(i)), Site::event("$autocapture", "user", page(i))});
  }
}

void server_batch(Site& site, const std::string& properties) {
  std::vector<std::string> events;
  for (int i = 0; i < 100; ++i) {
    events.push_back(Site::event("order", "customer-" + std::to_string(i % 20), properties));
  }
  site.send(events);
}

void identify(Site& site) {
  site.send({Site::event("$identify", "user", R"("$anon_distinct_id":"device")")});
}

std::vector<Traffic> traffics() {
  const auto know = [](std::vector<const char*> ids) {
    return [ids](Site& site) {
      for (const char* id : ids) site.send({Site::event("$set", id, page(0))});
    };
  };
  return {
      {"personless events", nothing,
       [](Site& site) {
         for (int i = 0; i < 100; ++i) {
           site.send({Site::event("$pageview", "device", "\"$process_person_profile\":false")});
         }
       },
       0, 0},
      {"browser visit: 20 personless, $identify, 40 after", nothing, browser_visit},
      {"browser, known person, two events a request", know({"user"}), pages_of_known, 0.5, 0},
      {"server batch, 100 events of 20 new people", nothing,
       [](Site& site) { server_batch(site, "\"total\":1"); }, 0.2},
      {"server batch, the same people again", [](Site& site) { server_batch(site, "\"total\":1"); },
       [](Site& site) { server_batch(site, "\"total\":1"); }, 0.2, 0},
      {"server batch, each event changes its person",
       [](Site& site) { server_batch(site, "\"$set\":{\"n\":0}"); },
       [](Site& site) { server_batch(site, "\"$set\":{\"n\":1}"); }, 0.2},
      {"first $identify, both unknown", nothing, identify, 3},
      {"first $identify, anonymous person known", know({"device"}), identify, 3},
      {"first $identify, both known", know({"device", "user"}), identify, 3},
      {"$identify again", [](Site& site) { identify(site); }, identify, 1, 0},
      {"$feature_flag_called of nobody", nothing,
       [](Site& site) { site.send({Site::event("$feature_flag_called", "job", "")}); }, 1, 0},
      {"event with a known group type, known person",
       [](Site& site) { site.send({Site::event("e", "user", R"("$groups":{"org":"o"})")}); },
       [](Site& site) { site.send({Site::event("e", "user", R"("$groups":{"org":"o"})")}); }, 2, 0},
  };
}

}  // namespace

int main(int count, char** arguments) {
  const bool as_json = count > 1 && std::strcmp(arguments[1], "--json") == 0;
  bool all_met = true;
  if (!as_json)
    std::printf("%-10s %-52s %6s %8s %10s %10s %10s\n", "mode", "traffic", "events", "requests",
                "calls/ev", "read/ev", "written/ev");
  for (const PersonlessMode mode : {PersonlessMode::kStateless, PersonlessMode::kExact}) {
    const char* mode_name = mode == PersonlessMode::kStateless ? "stateless" : "exact";
    for (const Traffic& traffic : traffics()) {
      Site site(mode);
      traffic.prepare(site);
      site.reset();
      traffic.run(site);
      const Costs costs = site.costs();
      const auto events = static_cast<double>(costs.events);
      const double calls = static_cast<double>(costs.calls) / events;
      const double read = static_cast<double>(costs.rows_read) / events;
      const double written = static_cast<double>(costs.rows_written) / events;
      const bool met = mode == PersonlessMode::kExact ||
                       ((traffic.calls_an_event < 0 || calls <= traffic.calls_an_event) &&
                        (traffic.rows_an_event < 0 || written <= traffic.rows_an_event));
      all_met &= met;
      const auto event_count = static_cast<unsigned long long>(costs.events);
      if (as_json) {
        std::printf(
            "{\"mode\":\"%s\",\"traffic\":\"%s\",\"events\":%llu,\"calls_per_event\":%.3f,"
            "\"rows_read_per_event\":%.3f,\"rows_written_per_event\":%.3f}\n",
            mode_name, traffic.name, event_count, calls, read, written);
      } else {
        std::printf("%-10s %-52s %6llu %8llu %10.2f %10.2f %10.2f%s\n", mode_name, traffic.name,
                    event_count, static_cast<unsigned long long>(costs.requests), calls, read,
                    written, met ? "" : "  over its target");
      }
    }
  }
  return all_met ? 0 : 1;
}
