#include "delivery_run.h"

#include <algorithm>

#include "hogflare/json.h"
#include "hogflare/uuid.h"

namespace hogflare::sim {
namespace {

constexpr size_t kSealBytes = 9;
constexpr int64_t kOutageMsMax = 600'000;
constexpr uint64_t kMessagesMax = 2'000'000;
constexpr std::string_view kAdminToken = "admin";

enum class Trouble : uint8_t {
  kStatus,       // refuses, nothing stored
  kStoresFirst,  // stores, then says it did not
  kHangs,
  kHangsAfterStoring,
  kNoConnection,
  kWrongToken,
  kTooLarge,  // takes a few rows at a time
};
constexpr uint32_t kTroubles = 7;

// All sends of a stream within a time, or a share of them, meet the trouble.
struct Phase {
  Stream stream;
  int64_t begin_ms;
  int64_t end_ms;
  Trouble trouble;
  uint32_t share;  // in thousandths
};

HttpInput request_to(std::string_view method, std::string_view path, std::string body) {
  HttpInput input;
  for (const std::string_view field : {method, path, std::string_view(), std::string_view(),
                                       std::string_view("application/json")}) {
    input.head.append(field).push_back('\0');
  }
  // Encoding, user agent, origin, referer; then the authorization.
  input.head.append(4, '\0');
  input.head.append("Bearer ").append(kAdminToken).push_back('\0');
  input.head.append(14 + 14, '\0');
  input.body = std::move(body);
  return input;
}

std::string text_of(const json::Value& object, std::string_view name) {
  const json::Value value = object.find(name);
  return value.is_string() ? std::string(value.text()) : std::string();
}

// Remembers what arrived and fails by plan. Refuses rows of the event "poison" until it is cured.
class FaultySink final : public Sink {
 public:
  explicit FaultySink(Choices& choices) : choices_(choices) {}

  SinkAnswer take(Stream stream, const std::string& rows, int64_t now_ms) override {
    const Result<json::Document> document = json::Document::parse_const(rows, 2);
    if (!document.ok() || rows.size() > limits::kSendBytesMax) {
      broken_send = true;
      return {.status = 400};
    }
    const json::Value array = document.value().root();
    for (const Phase& phase : phases) {
      if (phase.stream != stream || now_ms < phase.begin_ms || now_ms >= phase.end_ms) continue;
      if (choices_.below(1000) >= phase.share) continue;
      if (std::optional<SinkAnswer> answer = meet(phase.trouble, stream, array)) return *answer;
    }
    if (holds_poison(stream, array)) return {.status = 400, .body = "a row is refused"};
    store(stream, array);
    return {.delay_ms = 5 + choices_.below(400)};
  }

  void cure() { is_cured_ = true; }

  std::vector<Phase> phases;
  std::map<std::string, uint32_t> events;  // uuid to copies
  std::set<std::string> rejects;           // event_uuid
  bool broken_send = false;

 private:
  std::optional<SinkAnswer> meet(Trouble trouble, Stream stream, const json::Value& array) {
    constexpr uint16_t kStatuses[] = {500, 502, 503, 429, 408};
    SinkAnswer answer{.status = kStatuses[choices_.below(5)]};
    if (answer.status == 429) answer.retry_after_ms = 1000 * choices_.below(20);
    const bool stores = !holds_poison(stream, array);
    switch (trouble) {
      case Trouble::kStatus:
        break;
      case Trouble::kStoresFirst:
        if (stores) store(stream, array);
        break;
      case Trouble::kHangs:
        answer.answers = false;
        break;
      case Trouble::kHangsAfterStoring:
        if (stores) store(stream, array);
        answer.answers = false;
        break;
      case Trouble::kNoConnection:
        answer.status = 0;
        break;
      case Trouble::kWrongToken:
        answer.status = choices_.below(2) == 0 ? 401 : 404;
        break;
      case Trouble::kTooLarge: {
        uint32_t rows = 0;
        for (const json::Value row : array.elements()) rows += row.exists() ? 1 : 0;
        if (rows <= 2) return std::nullopt;
        answer.status = 413;
        break;
      }
    }
    return answer;
  }

  bool holds_poison(Stream stream, const json::Value& array) const {
    if (is_cured_ || stream != Stream::kEvents) return false;
    for (const json::Value row : array.elements()) {
      if (text_of(row, "event") == "poison") return true;
    }
    return false;
  }

  void store(Stream stream, const json::Value& array) {
    for (const json::Value row : array.elements()) {
      if (stream == Stream::kEvents) ++events[text_of(row, "uuid")];
      if (stream == Stream::kRejects) rejects.insert(text_of(row, "event_uuid"));
    }
  }

  Choices& choices_;
  bool is_cured_ = false;
};

enum class EventKind : uint8_t { kGood, kBad, kPoison };

struct PlannedBatch {
  std::string body;
  std::vector<std::pair<std::string, EventKind>> events;  // by uuid
};

}  // namespace

struct DeliveryHistory::Impl {
  Impl(Choices& drawn, const OutboxFaults& broken) : choices(drawn), sink(drawn) {
    options.outbox = broken;
    draw();
    world = std::make_unique<World>(options, choices, sink);
  }

  void draw() {
    const auto share = [this](uint32_t most) {
      return choices.below(2) == 0 ? 0 : choices.below(most);
    };
    options.isolates = 1 + choices.below(3);
    options.faults = {.crash = share(60),
                      .lose_request = share(60),
                      .lose_reply = share(60),
                      .duplicate_call = share(40),
                      .late = share(20),
                      .evict = share(20),
                      .lose_response = share(60),
                      .late_alarm = share(200)};
    if (choices.below(3) == 0) {
      options.faults.silence = share(60);
      options.faults.stall = share(20);
    }
    // Where the platform's limits bite, until the world heals.
    if (choices.below(3) == 0) {
      options.faults.fail_alarm = share(200);
      options.faults.refuse_put = share(100);
      if (choices.below(2) == 0) options.faults.value_bytes_max = 150 + choices.below(4'000);
      if (choices.below(2) == 0) options.faults.subrequests_max = 1 + choices.below(12);
      options.faults.connections_max = 1 + choices.below(platform::kConnections);
    }
    // So brittle that the platform gives an alarm up: six repetitions are not enough.
    if (choices.below(20) == 0) options.faults.crash = 300 + choices.below(200);
    is_small = choices.below(4) == 0;
    has_poison = !is_small && choices.below(2) == 0;
    options.vars += ",\"HOGFLARE_ADMIN_TOKEN\":\"" + std::string(kAdminToken) + "\"";
    options.vars +=
        ",\"CLOUDFLARE_PIPELINE_TIMEOUT_SECS\":\"" + std::to_string(1 + choices.below(10)) + "\"";
    if (is_small) {
      options.vars += ",\"HOGFLARE_OUTBOX_MAX_BYTES\":\"" +
                      std::to_string(8 * (2'000 + choices.below(8'000))) + "\"";
    }
    clients.resize(1 + choices.below(4));
    for (std::vector<PlannedBatch>& client : clients) {
      const uint32_t batches = 1 + choices.below(6);
      for (uint32_t i = 0; i < batches; ++i) client.push_back(draw_batch());
    }
  }

  // In phases that overlap as they like; all end before kOutageMsMax.
  void draw_phases() {
    const uint32_t count = choices.below(6);
    for (uint32_t i = 0; i < count; ++i) {
      const int64_t begin_ms = choices.below(60'000);
      const int64_t length_ms = choices.below(3) == 0 ? kOutageMsMax : 1 + choices.below(60'000);
      const auto stream = static_cast<Stream>(choices.below(2) == 0 ? 0 : choices.below(3));
      sink.phases.push_back({stream, world->now_ms() + begin_ms / (1 + i),
                             world->now_ms() + std::min(begin_ms + length_ms, kOutageMsMax),
                             static_cast<Trouble>(choices.below(kTroubles)),
                             choices.below(2) == 0 ? 1000 : 1 + choices.below(1000)});
    }
  }

  std::string uuid() {
    char text[37];
    std::snprintf(text, sizeof text, "00000000-0000-4000-8000-%012u", ++last_uuid);
    return text;
  }

  PlannedBatch draw_batch() {
    PlannedBatch batch;
    batch.body = R"({"api_key":"phc_sim","batch":[)";
    const uint32_t count = 1 + choices.below(8);
    for (uint32_t i = 0; i < count; ++i) {
      const EventKind kind = choices.below(8) == 0                  ? EventKind::kBad
                             : has_poison && choices.below(10) == 0 ? EventKind::kPoison
                                                                    : EventKind::kGood;
      const std::string name = kind == EventKind::kGood  ? "e"
                               : kind == EventKind::kBad ? ""
                                                         : "poison";
      const std::string personless = choices.below(4) == 0 ? "true" : "false";
      batch.events.emplace_back(uuid(), kind);
      if (i > 0) batch.body += ',';
      batch.body += R"({"event":")" + name + R"(","uuid":")" + batch.events.back().first +
                    R"(","distinct_id":"d)" + std::to_string(choices.below(5)) +
                    R"(","properties":{"$process_person_profile":)" + personless + R"(,"pad":")" +
                    std::string(choices.below(300), 'x') + R"("}})";
    }
    batch.body += "]}";
    return batch;
  }

  // Sends the client's batches one after the other, each until it is taken or given up.
  void send(size_t client, size_t batch, uint32_t tries) {
    if (batch == clients[client].size()) return;
    const PlannedBatch& planned = clients[client][batch];
    world->http(request_to("POST", "/batch/", planned.body), ++attempts,
                [this, client, batch, tries](const Reply* reply) {
                  take_answer(client, batch, tries, reply);
                });
  }

  void take_answer(size_t client, size_t batch, uint32_t tries, const Reply* reply) {
    const PlannedBatch& planned = clients[client][batch];
    const uint16_t status = reply == nullptr ? 0 : reply->status;
    const bool all_bad =
        std::all_of(planned.events.begin(), planned.events.end(),
                    [](const auto& event) { return event.second == EventKind::kBad; });
    // A batch of bad events alone is refused, which the client sees, and recorded all the same.
    if (status == 200 || (status == 400 && all_bad)) {
      for (const auto& [id, kind] : planned.events) taken[id] = kind;
      send(client, batch + 1, 0);
      return;
    }
    ++counts.retried;
    if (status == 503) ++counts.full;
    if (status != 0 && status != 503) {
      fail("a batch was answered with " + std::to_string(status) + ": " + reply->body);
      return;
    }
    if (tries > 40 || choices.below(20) == 0) {
      send(client, batch + 1, 0);
      return;
    }
    world->after(200 + choices.below(5'000),
                 [this, client, batch, tries] { send(client, batch, tries + 1); });
  }

  void fail(std::string what) {
    if (wrong.empty()) wrong = std::move(what);
  }

  // What the outboxes hold: stored sends must be gone, quarantined rows must be the poison.
  std::map<std::string, uint32_t> quarantined() {
    std::map<std::string, uint32_t> rows;
    for (auto& [object, storage] : world->objects()) {
      if (object.object_class != ObjectClass::kOutbox) continue;
      for (const char* prefix : {"e0/", "e1/", "e2/", "p/"}) {
        const std::vector<std::string> left = storage.list(prefix, {}, 1);
        if (!left.empty()) fail(object.name + " still holds " + left.front());
      }
      for (const std::string& key : storage.list("z/", {}, UINT32_MAX)) {
        std::string value;
        if (!storage.get(key, value)) continue;
        // Behind the seal (base/stored_value.h), whose checksum may hold any byte.
        const std::string row = value.substr(value.find('\n', kSealBytes) + 1);
        const Result<json::Document> document = json::Document::parse_const(row, 1);
        const bool is_row = document.ok() && document.value().root().is_object();
        if (!is_row || text_of(document.value().root(), "event") != "poison") {
          fail("quarantined, but not a refused row: " + row.substr(0, 120));
          continue;
        }
        ++rows[text_of(document.value().root(), "uuid")];
      }
    }
    return rows;
  }

  // Asks as an operator would; the outboxes' own figures must agree with their keys.
  void compare_figures(uint64_t quarantined_rows) {
    const auto asked = std::make_shared<bool>(false);
    world->http(
        request_to("GET", "/admin/outbox", {}), ++attempts,
        [this, quarantined_rows, asked](const Reply* reply) {
          *asked = true;
          if (reply == nullptr || reply->status != 200) {
            return fail("/admin/outbox did not answer");
          }
          const std::string wanted = "\"shards_failed\":0,\"sends\":0,\"rows\":0,\"bytes\":0,";
          const std::string held = "\"quarantine_rows\":" + std::to_string(quarantined_rows) + ",";
          if (reply->body.find(wanted) == std::string::npos ||
              reply->body.find(held) == std::string::npos) {
            fail("/admin/outbox says " + reply->body);
          }
        });
    if (!world->run(kMessagesMax) || !*asked) fail("/admin/outbox never answered");
  }

  void settle(const char* when) {
    if (!world->run(kMessagesMax)) fail(std::string(when) + ": it never becomes quiet");
  }

  void check_equation(const std::map<std::string, uint32_t>& held) {
    if (sink.broken_send) fail("a send was not an array of rows within the sink's limit");
    uint64_t lost = 0;
    for (const auto& [id, kind] : taken) {
      const bool landed = sink.events.count(id) > 0;
      if (kind == EventKind::kBad && sink.rejects.count(id) > 0) {
        ++counts.rejected;
      } else if (kind != EventKind::kBad && landed) {
        ++counts.landed;
      } else if (kind == EventKind::kPoison && held.count(id) > 0) {
        ++counts.quarantined;
      } else {
        ++lost;
        fail(id + (kind == EventKind::kBad ? " was refused and no reject row has arrived"
                                           : " was answered with 200 and is lost"));
      }
      if (kind == EventKind::kBad && landed) fail(id + " is a bad event and has landed");
    }
    counts.accepted += taken.size();
    if (counts.accepted != counts.landed + counts.rejected + counts.quarantined + lost) {
      fail("the equation does not hold");
    }
    for (const auto& [id, copies] : sink.events) counts.copies += copies - 1;
  }

  std::string run() {
    draw_phases();
    for (size_t client = 0; client < clients.size(); ++client) {
      world->after(choices.below(20'000), [this, client] { send(client, 0, 0); });
    }
    // Objects and calls recover with the sinks: what is left then must go out by itself.
    world->after(kOutageMsMax, [this] { world->heal(); });
    settle("after the outage");
    std::map<std::string, uint32_t> held = quarantined();
    uint64_t rows = 0;
    for (const auto& [id, copies] : held) rows += copies;
    compare_figures(rows);
    if (wrong.empty() && rows > 0 && choices.below(2) == 0) {
      sink.cure();
      world->http(request_to("POST", "/admin/quarantine/redrive", {}), ++attempts,
                  [this](const Reply* reply) {
                    const bool answered = reply != nullptr && reply->status == 200;
                    if (!answered) fail("the redrive was not answered");
                  });
      settle("after the redrive");
      held = quarantined();
      if (!held.empty()) fail("a row the sink takes now is still quarantined");
      compare_figures(0);
    }
    check_equation(held);
    return wrong;
  }

  Choices& choices;
  WorldOptions options;
  FaultySink sink;
  std::unique_ptr<World> world;
  std::vector<std::vector<PlannedBatch>> clients;
  std::map<std::string, EventKind> taken;  // what clients need not send again
  bool is_small = false;
  bool has_poison = false;
  uint32_t last_uuid = 0;
  uint32_t attempts = 0;
  DeliveryCounts counts;
  std::string wrong;
};

DeliveryHistory::DeliveryHistory(Choices& choices, const OutboxFaults& broken)
    : impl_(std::make_unique<Impl>(choices, broken)) {}
DeliveryHistory::~DeliveryHistory() = default;

std::string DeliveryHistory::run() { return impl_->run(); }
const DeliveryCounts& DeliveryHistory::counts() const { return impl_->counts; }
const Counts& DeliveryHistory::world_counts() const { return impl_->world->counts(); }

std::string DeliveryHistory::describe() const {
  constexpr const char* kNames[] = {
      "status",        "stores, then fails", "hangs",    "stores, then hangs",
      "no connection", "wrong token",        "too large"};
  std::string text = impl_->is_small ? "a small outbox\n" : "";
  for (const Phase& phase : impl_->sink.phases) {
    text += std::string(name_of(phase.stream)) + " " + kNames[static_cast<int>(phase.trouble)] +
            ", " + std::to_string(phase.share) + " of 1000, for " +
            std::to_string(phase.end_ms - phase.begin_ms) + " ms\n";
  }
  for (size_t i = 0; i < impl_->clients.size(); ++i) {
    for (const PlannedBatch& batch : impl_->clients[i]) {
      text += "client " + std::to_string(i) + ": " + batch.body + "\n";
    }
  }
  return text;
}

}  // namespace hogflare::sim
