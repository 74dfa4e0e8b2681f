#include "delivery/outbox_store.h"

#include <algorithm>

#include "hogflare/ascii.h"
#include "hogflare/must_wait.h"
#include "hogflare/text.h"
#include "base/stored_value.h"
#include "json/fields.h"
#include "json/members.h"

namespace hogflare {
namespace {

constexpr std::string_view kMetaKey = "meta";
// Of every value: a checksum before what version 1 stored as it is, which begins with '{' or '['.
constexpr uint8_t kStoredVersion = 2;
constexpr size_t kTimeDigits = 13;  // until the year 2286
constexpr size_t kSeqDigits = 12;
constexpr size_t kTimeAt = 3;  // behind "e0/"
constexpr size_t kSeqAt = kTimeAt + kTimeDigits + 1;

std::string digits(uint64_t number, size_t width) {
  std::string out = std::to_string(number);
  if (out.size() < width) out.insert(0, width - out.size(), '0');
  return out;
}

std::string time_digits(int64_t time_ms) {
  return digits(static_cast<uint64_t>(std::max<int64_t>(time_ms, 0)), kTimeDigits);
}

std::string send_prefix(Stream stream) {
  return std::string("e") + static_cast<char>('0' + index_of(stream)) + "/";
}

std::string piece_key(std::string_view send_key, size_t piece) {
  return "p/" + std::string(send_key.substr(kSeqAt)) + "/" + std::to_string(piece);
}

int64_t time_of(std::string_view send_key) {
  int64_t time_ms = 0;
  const char* begin = send_key.data() + kTimeAt;
  std::from_chars(begin, begin + kTimeDigits, time_ms);
  return time_ms;
}

// A key that this store has made: nothing else is read by its places.
bool is_send_key(std::string_view key) {
  if (key.size() < kSeqAt + kSeqDigits) return false;
  const std::string_view time = key.substr(kTimeAt, kTimeDigits);
  return is_digit(key[1]) && std::all_of(time.begin(), time.end(), is_digit);
}

// What a stored value of this version or the one before holds; nullopt: of another, or damaged.
std::optional<std::string_view> body_of(std::string_view value) {
  if (value.empty()) return std::nullopt;
  if (static_cast<uint8_t>(value[0]) >= 0x20) return value;
  return unseal(value, kStoredVersion);
}

bool is_v1(std::string_view value) {
  return !value.empty() && static_cast<uint8_t>(value[0]) >= 0x20;
}

StoredFault fault_of(std::string_view key, std::string_view value) {
  const int found = value.empty() ? -1 : is_v1(value) ? 1 : static_cast<uint8_t>(value[0]);
  return {std::string(key), found, kStoredVersion};
}

struct Headed {
  json::Document header;
  std::string_view rest;
};

// Splits a value into its header line and what follows.
std::optional<Headed> split_header(std::string_view value) {
  const size_t end = value.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  Result<json::Document> header = json::Document::parse_const(value.substr(0, end), 1);
  if (!header.ok()) return std::nullopt;
  return Headed{std::move(header).value(), value.substr(end + 1)};
}

size_t pieces_of(size_t rows_bytes) {
  return (rows_bytes + limits::kOutboxPieceBytes - 1) / limits::kOutboxPieceBytes;
}

std::string send_header(const StoredSend& send) {
  std::string out = "{";
  append_number(out, "rows", send.row_count);
  append_number(out, "bytes", static_cast<int64_t>(send.rows.size()));
  append_number(out, "failures", send.failures);
  append_number(out, "status", send.status);
  append_text(out, "reason", send.reason);
  out += "}\n";
  return out;
}

std::string write_meta(const OutboxMeta& meta) {
  std::string out = "{";
  append_number(out, "next", static_cast<int64_t>(meta.next_seq));
  append_number(out, "quarantine_rows", static_cast<int64_t>(meta.quarantine_rows));
  append_number(out, "quarantine_bytes", static_cast<int64_t>(meta.quarantine_bytes));
  for (size_t i = 0; i < meta.streams.size(); ++i) {
    const OutboxStreamMeta& stream = meta.streams[i];
    if (stream == OutboxStreamMeta{}) continue;
    append_name(out, name_of(static_cast<Stream>(i)));
    out += '{';
    append_number(out, "sends", static_cast<int64_t>(stream.sends));
    append_number(out, "rows", static_cast<int64_t>(stream.rows));
    append_number(out, "bytes", static_cast<int64_t>(stream.bytes));
    append_number(out, "failures", stream.failures);
    append_number(out, "retry_at_ms", stream.retry_at_ms);
    append_number(out, "last_status", stream.last_status);
    append_text(out, "last_reason", stream.last_reason);
    append_text(out, "cursor", stream.cursor);
    out += '}';
  }
  out += '}';
  return out;
}

std::optional<OutboxMeta> read_meta(std::string_view text) {
  OutboxMeta meta;
  const Result<json::Document> document = json::Document::parse_const(text, 2);
  if (!document.ok() || !document.value().root().find("next").is_number()) return std::nullopt;
  const json::Value root = document.value().root();
  meta.next_seq = std::max<uint64_t>(1, count_of<uint64_t>(root, "next"));
  meta.quarantine_rows = count_of<uint64_t>(root, "quarantine_rows");
  meta.quarantine_bytes = count_of<uint64_t>(root, "quarantine_bytes");
  for (size_t i = 0; i < meta.streams.size(); ++i) {
    const json::Value value = root.find(name_of(static_cast<Stream>(i)));
    if (!value.is_object()) continue;
    OutboxStreamMeta& stream = meta.streams[i];
    stream.sends = count_of<uint64_t>(value, "sends");
    stream.rows = count_of<uint64_t>(value, "rows");
    stream.bytes = count_of<uint64_t>(value, "bytes");
    stream.failures = count_of<uint32_t>(value, "failures");
    stream.retry_at_ms = number_of(value, "retry_at_ms");
    stream.last_status = count_of<uint16_t>(value, "last_status");
    stream.last_reason = text_of(value, "last_reason");
    stream.cursor = text_of(value, "cursor");
  }
  return meta;
}

// A count never wraps: a wrong one shows in the figures, it must not stop the sending.
void subtract(uint64_t& from, uint64_t what) { from -= std::min(from, what); }

}  // namespace

int64_t OutboxStreamMeta::retry_at(int64_t now_ms) const {
  return must_wait(retry_at_ms, now_ms, limits::kOutboxBackoffCapMs) ? retry_at_ms : 0;
}

uint64_t OutboxStreamMeta::used_bytes() const {
  return bytes + sends * limits::kOutboxEntryOverheadBytes;
}

uint64_t OutboxMeta::used_bytes() const {
  uint64_t used = quarantine_bytes + quarantine_rows * limits::kOutboxEntryOverheadBytes;
  for (const OutboxStreamMeta& stream : streams) used += stream.used_bytes();
  return used;
}

OutboxStore::OutboxStore(const Turn& turn)
    : storage_(*turn.storage), bytes_max_(turn.config.outbox_bytes_max / limits::kOutboxShards) {
  std::string value;
  if (!storage_.get(kMetaKey, value)) return;
  const std::optional<std::string_view> text = body_of(value);
  std::optional<OutboxMeta> meta = text.has_value() ? read_meta(*text) : std::nullopt;
  if (!meta.has_value()) {
    fault_ = fault_of(kMetaKey, value);
    return;
  }
  meta_ = std::move(*meta);
  stored_ = meta_;
}

bool OutboxStore::has_room(Stream stream, uint64_t rows_bytes) const {
  const uint64_t added = rows_bytes + limits::kOutboxEntryOverheadBytes;
  if (meta_.used_bytes() + added > bytes_max_) return false;
  const uint64_t held = meta_.streams[index_of(stream)].used_bytes();
  return stream == Stream::kEvents || (held + added) * limits::kOutboxSideBytesShare <= bytes_max_;
}

bool OutboxStore::has_quarantine_room(uint64_t row_bytes) const {
  return meta_.quarantine_rows < limits::kQuarantineRowsMax &&
         (meta_.quarantine_bytes + row_bytes) * limits::kQuarantineBytesShare <= bytes_max_;
}

void OutboxStore::put(StoredSend send) {
  send.key = send_prefix(send.stream) + time_digits(send.first_failed_ms) + "/" +
             digits(meta_.next_seq++, kSeqDigits);
  send.reason = first_code_points(send.reason, limits::kReasonBytesMax);
  put_as(send);
}

std::array<std::string, 2> OutboxStore::put_halves(const StoredSend& send, StoredSend lower,
                                                   StoredSend upper) {
  lower.key = send.key + "a";
  upper.key = send.key + "b";
  // In this order: the stream's backoff and cursor are forgotten when nothing is left of it.
  put_as(lower);
  put_as(upper);
  erase(send.key);
  return {std::move(lower.key), std::move(upper.key)};
}

void OutboxStore::put_as(const StoredSend& send) {
  put_first(send);
  for (size_t piece = 1; piece < pieces_of(send.rows.size()); ++piece) {
    storage_.put(
        piece_key(send.key, piece),
        seal(kStoredVersion, std::string_view(send.rows).substr(piece * limits::kOutboxPieceBytes,
                                                                limits::kOutboxPieceBytes)));
  }
  OutboxStreamMeta& stream = meta_.streams[index_of(send.stream)];
  ++stream.sends;
  stream.rows += send.row_count;
  stream.bytes += send.rows.size();
}

// The first piece, with the header; the header has a few hundred bytes.
void OutboxStore::put_first(const StoredSend& send) {
  std::string value = send_header(send);
  value.append(send.rows, 0, limits::kOutboxPieceBytes);
  storage_.put(send.key, seal(kStoredVersion, value));
}

std::optional<StoredSend> OutboxStore::load(const std::string& key) {
  std::string value;
  if (!storage_.get(key, value)) return std::nullopt;
  std::optional<StoredSend> send = read_send(key, value);
  if (!send.has_value()) unreadable_ = fault_of(key, value);
  return send;
}

std::optional<StoredSend> OutboxStore::read_send(const std::string& key,
                                                 std::string_view value) const {
  const std::optional<std::string_view> body = body_of(value);
  if (!body.has_value()) return std::nullopt;
  const std::optional<Headed> headed = split_header(*body);
  if (!headed.has_value()) return std::nullopt;
  const json::Value header = headed->header.root();
  StoredSend send;
  send.key = key;
  send.stream = static_cast<Stream>(key[1] - '0');
  send.first_failed_ms = time_of(key);
  send.row_count = count_of<uint32_t>(header, "rows");
  send.failures = count_of<uint32_t>(header, "failures");
  send.status = count_of<uint16_t>(header, "status");
  send.reason = text_of(header, "reason");
  send.rows = headed->rest;
  const auto bytes = count_of<size_t>(header, "bytes");
  const size_t pieces = bytes <= limits::kSendBytesMax ? pieces_of(bytes) : 0;
  for (size_t piece = 1; piece < pieces; ++piece) {
    std::string more;
    if (!storage_.get(piece_key(key, piece), more)) return std::nullopt;
    const std::optional<std::string_view> rows = body_of(more);
    if (!rows.has_value()) return std::nullopt;
    send.rows += *rows;
  }
  const bool is_whole = send.rows.size() == bytes && bytes >= 2 && send.rows.front() == '[' &&
                        send.rows.back() == ']';
  // Without a checksum the rows are looked at: the sink would refuse all that travel with them.
  if (!is_whole || (is_v1(value) && !json::Document::parse_const(send.rows, 1).ok())) {
    return std::nullopt;
  }
  return send;
}

void OutboxStore::set_failures(const std::string& key, uint32_t failures) {
  std::optional<StoredSend> send = load(key);
  if (!send.has_value()) return;
  send->failures = failures;
  put_first(*send);
}

bool OutboxStore::erase(const std::string& key) {
  std::string value;
  if (!storage_.get(key, value)) return false;
  storage_.erase(key);
  uint64_t rows = 0;
  uint64_t bytes = 0;
  const std::string_view body = body_of(value).value_or(std::string_view());
  if (const std::optional<Headed> headed = split_header(body); headed.has_value()) {
    rows = count_of<uint64_t>(headed->header.root(), "rows");
    bytes = count_of<uint64_t>(headed->header.root(), "bytes");
  }
  const size_t pieces = bytes <= limits::kSendBytesMax ? pieces_of(bytes) : 0;
  for (size_t piece = 1; piece < pieces; ++piece) storage_.erase(piece_key(key, piece));
  OutboxStreamMeta& stream = meta_.streams[static_cast<size_t>(key[1] - '0')];
  subtract(stream.sends, 1);
  subtract(stream.rows, rows);
  subtract(stream.bytes, bytes);
  if (stream.sends == 0) stream = OutboxStreamMeta{};
  return true;
}

std::vector<std::string> OutboxStore::list(Stream stream, std::string_view after,
                                           uint32_t count_max) const {
  std::vector<std::string> keys = storage_.list(send_prefix(stream), after, count_max);
  keys.erase(std::remove_if(keys.begin(), keys.end(),
                            [](const std::string& key) { return !is_send_key(key); }),
             keys.end());
  return keys;
}

int64_t OutboxStore::oldest_ms(Stream stream) const {
  if (meta_.streams[index_of(stream)].sends == 0) return 0;
  const std::vector<std::string> first = list(stream, {}, 1);
  return first.empty() ? 0 : time_of(first.front());
}

bool OutboxStore::put_quarantined(QuarantinedRow row) {
  row.key = "z/" + time_digits(row.quarantined_ms) + "/" + digits(meta_.next_seq++, kSeqDigits);
  std::string value = "{";
  append_number(value, "stream", static_cast<int64_t>(index_of(row.stream)));
  append_number(value, "first_failed_ms", row.first_failed_ms);
  append_number(value, "quarantined_ms", row.quarantined_ms);
  append_number(value, "status", row.status);
  append_text(value, "reason", row.reason);
  value += "}\n";
  value += row.row;
  value = seal(kStoredVersion, value);
  if (row.key.size() + value.size() > limits::kStorageValueBytesMax) return false;
  storage_.put(row.key, value);
  ++meta_.quarantine_rows;
  meta_.quarantine_bytes += row.row.size();
  return true;
}

std::optional<QuarantinedRow> OutboxStore::load_quarantined(const std::string& key) {
  std::string value;
  if (!storage_.get(key, value)) return std::nullopt;
  const std::optional<Headed> headed = split_header(body_of(value).value_or(std::string_view()));
  const int64_t stream = headed.has_value() ? number_of(headed->header.root(), "stream") : -1;
  const bool is_sound = stream >= 0 && stream < kStreamCount &&
                        (!is_v1(value) || json::Document::parse_const(headed->rest, 1).ok());
  if (!is_sound) {
    unreadable_ = fault_of(key, value);
    return std::nullopt;
  }
  const json::Value header = headed->header.root();
  QuarantinedRow row;
  row.key = key;
  row.stream = static_cast<Stream>(stream);
  row.first_failed_ms = number_of(header, "first_failed_ms");
  row.quarantined_ms = number_of(header, "quarantined_ms");
  row.status = count_of<uint16_t>(header, "status");
  row.reason = text_of(header, "reason");
  row.row = headed->rest;
  return row;
}

void OutboxStore::erase_quarantined(const QuarantinedRow& row) {
  storage_.erase(row.key);
  subtract(meta_.quarantine_rows, 1);
  subtract(meta_.quarantine_bytes, row.row.size());
}

std::vector<std::string> OutboxStore::list_quarantined(std::string_view after,
                                                       uint32_t count_max) const {
  return storage_.list("z/", after, count_max);
}

bool OutboxStore::has_no_alarm(int64_t now_ms) const {
  constexpr uint32_t kWaitMsMax = std::max(limits::kOutboxBackoffCapMs, limits::kOutboxRearmMs);
  const int64_t at_ms = storage_.alarm();
  return at_ms == 0 || at_ms - now_ms > kWaitMsMax;
}

void OutboxStore::alarm_by(int64_t at_ms) {
  const int64_t set = storage_.alarm();
  if (set == 0 || set > at_ms) storage_.set_alarm(at_ms);
}

void OutboxStore::save() {
  if (meta_ == stored_) return;
  storage_.put(kMetaKey, seal(kStoredVersion, write_meta(meta_)));
  stored_ = meta_;
}

}  // namespace hogflare
