// Fixed requests through the whole core, objects included, for counting instead of timing:
// scripts/guard runs it under callgrind. Same arguments, same instructions.
//
//   build/native/guard_main --list
//   build/native/guard_main browser_single 10     requests handled; prints allocations of one
//   request build/native/guard_main --decoders             names of the ways a body is decoded
//   build/native/guard_main --decoder gzip 10      one request of a tenth of the way's limit,
//   handled in
//                                                  guard_measured(); prints its bytes
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "counting_new.h"
#include "deflated.h"
#include "guard/decoders.h"
#include "hogflare/core.h"
#include "object_host.h"
#include "tests/no_decompressor.h"
#include "tests/table_zones.h"

namespace {

using namespace hogflare;

// The moment the events below were made in, and the time inside of their uuids.
constexpr int64_t kNowMs = 1'795'349'331'000;

struct Work {
  std::string name;
  std::string path;
  std::string body;
  std::string engine_reply = {};  // what the SQL engine gives, for questions
};

std::string event(int index, bool with_person, int details) {
  char uuid[37];
  std::snprintf(uuid, sizeof uuid, "01a20328-b8f6-7130-a602-%012d", index);
  std::string json = "{\"uuid\":\"";
  json += uuid;
  json += R"(","event":"order shipped","distinct_id":"user-)" + std::to_string(index % 7) +
          R"(","timestamp":"2026-11-22T12:08:50.166Z","properties":{"$lib":"posthog-node",)"
          R"("$lib_version":"5.70.0","$geoip_disable":true)";
  if (!with_person) json += R"(,"$process_person_profile":false)";
  for (int i = 0; i < details; ++i) {
    json +=
        ",\"detail_" + std::to_string(i) +
        R"(":{"line":12,"text":"an error at \"checkout\" in Zürich","ratio":0.25,"tags":["a",null]})";
  }
  if (with_person) json += R"(,"$set":{"plan":"pro","seats":7},"$set_once":{"first":"news"})";
  return json + "}}";
}

std::string batch(int events, bool with_person, int details) {
  std::string json = R"({"api_key":"phc_bench","sent_at":"2026-11-22T12:08:50.900Z","batch":[)";
  for (int i = 0; i < events; ++i) {
    if (i > 0) json += ',';
    json += event(i, with_person, details);
  }
  return json + "]}";
}

// What posthog-js sends after the page has loaded: many short properties.
std::string browser_event(int index) {
  char uuid[37];
  std::snprintf(uuid, sizeof uuid, "01a20328-b8f6-7130-a602-%012d", index);
  std::string json = "{\"uuid\":\"";
  json += uuid;
  json += R"(","event":"purchase","properties":{"$current_url":"https://shop.example.com/shop?)"
          R"(utm_source=news&utm_campaign=autumn#x","$lib":"web","distinct_id":"user-)";
  json += std::to_string(index % 7);
  json += R"(","fbclid":null,"msclkid":null,"twclid":null,"igshid":null,"ttclid":null,)"
          R"("rdt_cid":null,"epik":null,"qclid":null,"sccid":null,"_kx":null,)"
          R"("$referrer":"$direct","$referring_domain":"$direct",)"
          R"("$active_feature_flags":["new-checkout"],"$feature_flag_payloads":{},)"
          R"("$feature/new-checkout":"test","price":49.9,"currency":"EUR","items":["a","b"],)"
          R"("token":"phc_bench","$config_defaults":"unset",)"
          R"("$session_id":"01a20328-ac57-7726-998a-5e930f917b46",)"
          R"("$window_id":"01a20328-ac58-7d69-9c3e-73bc06f5d108",)"
          R"("$session_entry_referrer":"$direct",)"
          R"("$session_entry_url":"https://shop.example.com/shop?utm_source=news",)"
          R"("$session_entry_host":"shop.example.com","$session_entry_pathname":"/shop",)"
          R"("$recording_status":"disabled","$sdk_debug_retry_queue_size":0,)"
          R"("$lib_custom_api_host":"https://shop.example.com",)"
          R"("$pageview_id":"01a20328-ac42-7232-a3bf-80472a723a0c","$browser_type":"bot",)"
          R"("$is_identified":true,"$process_person_profile":false,)"
          R"("$lib_rate_limit_remaining_tokens":98.05},)"
          R"("timestamp":"2026-11-22T12:08:50.166Z"})";
  return json;
}

std::string browser_batch(int events) {
  std::string json = R"({"api_key":"phc_bench","batch":[)";
  for (int i = 0; i < events; ++i) {
    if (i > 0) json += ',';
    json += browser_event(i);
  }
  return json + R"(],"sent_at":"2026-11-22T12:08:50.900Z"})";
}

constexpr int kQuestionRows = 1'000;

// As the engine gives rows: objects by column.
std::string engine_reply(const std::function<std::string(int)>& row) {
  std::string json = R"({"success":true,"result":{"schema":[],"rows":[)";
  for (int i = 0; i < kQuestionRows; ++i) json += (i > 0 ? "," : "") + row(i);
  return json + R"(],"metrics":{"bytes_scanned":1}}})";
}

constexpr const char* kFreshnessReply =
    R"({"success":true,"result":{"schema":[],"rows":[{"t":1764000000000000}],"metrics":{"bytes_scanned":1}}})";

// The questions of bench/questions.mjs: planned, asked, and answered out of 1,000 rows.
Work trend_question() {
  return {"question_trend", "/api/projects/1/query/",
          R"({"query":{"kind":"TrendsQuery","dateRange":{"date_from":"-39d"},"series":[)"
          R"({"kind":"EventsNode","event":"$pageview","math":"dau"}],)"
          R"("breakdownFilter":{"breakdown":"$browser","breakdown_type":"event"}}})",
          engine_reply([](int i) {
            return R"({"b":)" + std::to_string(i / 25) + R"(,"v0":"Browser )" +
                   std::to_string(i % 25) + R"(","n":)" + std::to_string(i) + "}";
          })};
}

Work list_question() {
  return {"question_list", "/api/projects/1/query/",
          R"({"query":{"kind":"EventsQuery","select":["event","distinct_id","timestamp",)"
          R"("properties.plan"],"limit":1000}})",
          engine_reply([](int i) {
            return R"({"c0":"$pageview","c1":"user-)" + std::to_string(i) + R"(","c2":)" +
                   std::to_string(1'764'000'000'000'000 + i) + R"(,"c3":"\"pro\""})";
          })};
}

// Of a tenth of the people another row comes, which knew of one id alone.
Work people_question() {
  return {"question_people", "/api/projects/1/query/",
          R"({"query":{"kind":"ActorsQuery","select":["actor"],"limit":1000}})",
          engine_reply([](int i) {
            constexpr int kPeople = kQuestionRows / 11 * 10;
            const bool is_more = i >= kPeople;
            const std::string id = std::to_string(i % kPeople);
            const std::string ids = R"("[\"user-)" + id + R"(\",\"anonymous-)" + id + R"(\"]")";
            const std::string person =
                R"("{\"plan\":\"pro\",\"email\":\"user-)" + id +
                R"(@example.test\",\"seats\":7,\"$browser\":\"Chrome\",\"trial\":false}")";
            return R"({"p":"person-)" + id + R"(","d":"user-)" + id + R"(","l":)" +
                   (is_more ? "null" : ids) + R"(,"o":)" + (is_more ? "null" : person) +
                   R"(,"t":)" + (is_more ? "null" : std::to_string(1'764'000'000'000'000 + i)) +
                   R"(,"m":)" + (is_more ? "1}" : "0}");
          })};
}

std::vector<Work> works() {
  return {
      {"server_single", "/batch/", batch(1, false, 0)},
      {"single_1500", "/e/", batch(1, false, 10)},
      {"single_20k", "/e/", batch(1, false, 190)},
      {"batch_50", "/batch/", batch(50, false, 10)},
      {"browser_batch_50", "/e/", browser_batch(50)},
      {"batch_50_gzip", "/batch/", test::deflated(batch(50, false, 10), test::kGzipBits, 6)},
      {"person_single", "/e/", batch(1, true, 10)},
      {"person_batch_50", "/batch/", batch(50, true, 10)},
      {"flags", "/flags/",
       R"({"token":"phc_bench","distinct_id":"user-1","person_properties":{"plan":"pro"}})"},
      {"not_found", "/nothing/here", "{}"},
      trend_question(),
      list_question(),
      people_question(),
  };
}

std::string flags_json() {
  std::string json = "{\\\"flags\\\":[";
  for (int i = 0; i < 100; ++i) {
    if (i > 0) json += ',';
    json += "{\\\"id\\\":" + std::to_string(i) + ",\\\"key\\\":\\\"flag-" + std::to_string(i) +
            R"(\",\"active\":true,\"filters\":{\"groups\":[{\"properties\":[{\"key\":\"plan\",)"
            R"(\"type\":\"person\",\"operator\":\"exact\",\"value\":[\"pro\"]}],)"
            R"(\"rollout_percentage\":50}]}})";
  }
  return json + "]}";
}

// Performs effects at once: objects in memory, a sink that takes everything.
class Host {
 public:
  Host()
      : core_(R"({"vars":{"CLOUDFLARE_PIPELINE_ENDPOINT":"http://sink.invalid/",)"
              R"("POSTHOG_PERSONAL_API_KEY":"guard-key","HOGFLARE_SQL_ACCOUNT_ID":"a",)"
              R"("HOGFLARE_SQL_BUCKET":"b","HOGFLARE_SQL_TOKEN":"t"},"bindings":)"
              R"(["PERSONS","GROUPS","PERSON_ID_COUNTER","OUTBOX"],"bundled_flags":")" +
                  flags_json() + "\"}",
              decompressor_, zones_),
        entropy_(kSeed) {}

  uint16_t handle(const Work& work) {
    std::string head = "POST";
    head += '\0';
    head += work.path;
    head.append(3, '\0');
    head += "application/json";
    head.append(3, '\0');
    head += "https://shop.example.com";
    if (work.engine_reply.empty()) {
      head.append(40, '\0');
    } else {
      head.append(2, '\0').append("Bearer guard-key").append(38, '\0');
    }
    engine_reply_ = &work.engine_reply;
    std::unique_ptr<Task> task = core_.http({std::move(head), work.body});
    run(*task, nullptr);
    return task->reply().status;
  }

  uint16_t handle(guard::DecoderCase work) {
    std::string head = "POST";
    const auto field = [&](std::string_view text) { head.append(1, '\0').append(text); };
    for (const std::string_view text :
         {std::string_view(work.path), std::string_view(work.query), std::string_view(),
          std::string_view(work.content_type), std::string_view(work.content_encoding)}) {
      field(text);
    }
    const bool is_v1 = work.is_v1;
    field(is_v1 ? "posthog-node/5.70.0" : "");
    field("");
    field("");
    field(is_v1 ? "Bearer phc_bench" : work.bearer.empty() ? "" : "Bearer " + work.bearer);
    field("");
    field("");
    field(is_v1 ? "posthog-node/5.70.0" : "");
    field(is_v1 ? "1" : "");
    field(is_v1 ? "0190a000-0000-7000-8000-000000000001" : "");
    field(is_v1 ? "2026-11-22T12:08:50Z" : "");
    head.append(40, '\0');
    std::unique_ptr<Task> task = core_.http({std::move(head), std::move(work.body)});
    run(*task, nullptr);
    return task->reply().status;
  }

 private:
  void run(Task& task, Storage* storage) {
    Effects effects;
    task.start(core_.turn(kNowMs, entropy_, storage), effects);
    std::deque<Effect> pending;
    for (;;) {
      for (Effect& effect : effects.take()) pending.push_back(std::move(effect));
      if (pending.empty()) break;
      const Effect effect = std::move(pending.front());
      pending.pop_front();
      task.resume(core_.turn(kNowMs, entropy_, storage), perform(effect), effects);
    }
    HF_ASSERT(task.finished());
  }

  EffectResult perform(const Effect& effect) {
    EffectResult result;
    result.id = effect.id;
    result.ok = true;
    result.http_status = 200;
    if (const auto* call = std::get_if<CallObject>(&effect.kind)) {
      ObjectInput input;
      input.entry = ObjectEntry::kCall;
      input.object_class = call->object_class;
      input.request = call->request;
      std::unique_ptr<Task> task = core_.object(std::move(input));
      run(*task, &objects_[call->name]);
      result.body = task->reply().body;
    }
    if (const auto* query = std::get_if<RunQuery>(&effect.kind)) {
      const bool asks_freshness = query->sql.find("max(__ingest_ts)") != std::string::npos;
      result.body = asks_freshness ? kFreshnessReply : *engine_reply_;
    }
    if (std::holds_alternative<ReadCache>(effect.kind)) result.http_status = 404;
    return result;
  }

  static constexpr uint8_t kSeed[32] = {7};
  test::NoDecompressor decompressor_;
  test::TableZones zones_;
  Core core_;
  Entropy entropy_;
  std::map<std::string, test::MemoryStorage> objects_;
  const std::string* engine_reply_ = nullptr;
};

}  // namespace

// By this name scripts/guard finds what is to be counted.
extern "C" [[gnu::noinline]] int guard_measured(Host& host, guard::DecoderCase& work) {
  return host.handle(std::move(work));
}

int run_decoder(const char* name, size_t percent) {
  guard::DecoderCase work = guard::decoder_case(name, percent);
  const size_t bytes = work.bytes;
  Host host;
  const int status = guard_measured(host, work);
  if (status != 200) {
    std::fprintf(stderr, "guard_main: %s at %zu %% was answered %d\n", name, percent, status);
    return 1;
  }
  std::printf("bytes %zu\n", bytes);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--decoders") == 0) {
    for (const std::string& name : guard::decoder_names()) std::printf("%s\n", name.c_str());
    return 0;
  }
  if (argc == 4 && std::strcmp(argv[1], "--decoder") == 0) {
    return run_decoder(argv[2], static_cast<size_t>(std::atoi(argv[3])));
  }
  const std::vector<Work> all = works();
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const Work& work : all) std::printf("%s\n", work.name.c_str());
    return 0;
  }
  if (argc != 3) {
    std::fprintf(stderr, "usage: guard_main --list | guard_main NAME REQUESTS\n");
    return 2;
  }
  for (const Work& work : all) {
    if (work.name != argv[1]) continue;
    Host host;
    uint64_t last = 0;
    for (int i = std::atoi(argv[2]); i > 0; --i) {
      const uint64_t before = test::allocations();
      const uint16_t status = host.handle(work);
      last = test::allocations() - before;
      if (status != (work.name == "not_found" ? 404 : 200)) {
        std::fprintf(stderr, "guard_main: %s was answered %d\n", argv[1], status);
        return 1;
      }
    }
    std::printf("allocations %llu\n", static_cast<unsigned long long>(last));
    return 0;
  }
  std::fprintf(stderr, "guard_main: no case '%s'; --list names them\n", argv[1]);
  return 2;
}
