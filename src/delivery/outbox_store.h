// How an outbox object's storage is laid out.
//
//   meta                       counts, backoff and cursor of each stream; the next sequence number
//   e<stream>/<time>/<seq>     one stored send: a header line, then the first piece of its rows;
//                              the halves of a send have its key with "a" and "b" appended
//   p/<seq>/<n>                further pieces of a send that does not fit one value
//   z/<time>/<seq>             one quarantined row: a header line, then the row
//
// Every value is sealed (base/stored_value.h); the version before stored the same without.
// Times and sequence numbers have fixed width, so byte order is order of time. Everything a turn
// writes commits together, so the counts in `meta` always agree with the keys.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/limits.h"
#include "hogflare/metrics.h"
#include "hogflare/stored_fault.h"
#include "hogflare/task.h"

namespace hogflare {

struct OutboxStreamMeta {
  uint64_t sends = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;       // of rows
  uint32_t failures = 0;    // alarms in a row in which nothing of this stream landed
  int64_t retry_at_ms = 0;  // as it was stored; whoever waits for it asks retry_at()
  uint16_t last_status = 0;
  std::string last_reason;
  std::string cursor;  // the next attempt starts behind this key, to get past a bad send

  bool operator==(const OutboxStreamMeta&) const = default;
  // Not before this; 0: at once, because its time has come, too.
  int64_t retry_at(int64_t now_ms) const;
  // What counts against the bound: rows and their overhead.
  uint64_t used_bytes() const;
};

struct OutboxMeta {
  uint64_t next_seq = 1;
  PerStream<OutboxStreamMeta> streams;
  uint64_t quarantine_rows = 0;
  uint64_t quarantine_bytes = 0;

  bool operator==(const OutboxMeta&) const = default;
  // The same of all streams and the quarantine.
  uint64_t used_bytes() const;
};

struct StoredSend {
  std::string key;  // given by the store
  Stream stream = Stream::kEvents;
  int64_t first_failed_ms = 0;
  uint32_t row_count = 0;
  uint32_t failures = 0;  // while it travelled alone
  uint16_t status = 0;
  std::string reason;
  std::string rows;  // a JSON array
};

struct QuarantinedRow {
  std::string key;
  Stream stream = Stream::kEvents;
  int64_t first_failed_ms = 0;
  int64_t quarantined_ms = 0;
  uint16_t status = 0;
  std::string reason;
  std::string row;  // a JSON object
};

// One turn's view: reads meta when made, writes it back in `save` when it changed.
class OutboxStore {
 public:
  explicit OutboxStore(const Turn& turn);

  // Set: the counts cannot be read. Nothing may be done then, for what is done is counted.
  const std::optional<StoredFault>& fault() const { return fault_; }
  // The last value that load() or load_quarantined() found but could not read. It stays where it
  // is.
  std::optional<StoredFault> take_unreadable() { return std::exchange(unreadable_, std::nullopt); }

  OutboxMeta& meta() { return meta_; }
  const OutboxMeta& meta() const { return meta_; }
  uint64_t bytes_max() const { return bytes_max_; }
  bool has_room(Stream stream, uint64_t rows_bytes) const;
  bool has_quarantine_room(uint64_t row_bytes) const;

  // Gives the send its key.
  void put(StoredSend send);
  // Stores the halves of `send` in its place and returns their keys, which stand between those of
  // its neighbours: the rows keep their order however often a send is halved.
  std::array<std::string, 2> put_halves(const StoredSend& send, StoredSend lower, StoredSend upper);
  std::optional<StoredSend> load(const std::string& key);
  // Writes the failure count of a send that is there. Rewrites its first value.
  void set_failures(const std::string& key, uint32_t failures);
  // True when the send was there.
  bool erase(const std::string& key);
  std::vector<std::string> list(Stream stream, std::string_view after, uint32_t count_max) const;
  // When the oldest send of the stream first failed; 0 when there is none.
  int64_t oldest_ms(Stream stream) const;

  // False: larger than a stored value may be; nothing was done.
  [[nodiscard]] bool put_quarantined(QuarantinedRow row);
  std::optional<QuarantinedRow> load_quarantined(const std::string& key);
  void erase_quarantined(const QuarantinedRow& row);
  std::vector<std::string> list_quarantined(std::string_view after, uint32_t count_max) const;

  // Sets the alarm to this time unless an earlier one is set.
  void alarm_by(int64_t at_ms);
  // Whether the alarm is lost: none is set, or one so late that a clock set it that was ahead.
  bool has_no_alarm(int64_t now_ms) const;
  void save();

 private:
  void put_as(const StoredSend& send);
  void put_first(const StoredSend& send);
  std::optional<StoredSend> read_send(const std::string& key, std::string_view value) const;

  Storage& storage_;
  uint64_t bytes_max_;
  OutboxMeta meta_;
  OutboxMeta stored_;
  std::optional<StoredFault> fault_;
  std::optional<StoredFault> unreadable_;
};

}  // namespace hogflare
