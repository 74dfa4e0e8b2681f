// Bounds of what lies in buckets: recordings and symbol sets. Rules as in limits.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hogflare::limits {

// --- Recordings in a bucket (docs/RECORDINGS.md) ---

// The bucket has so long for one object of a request; then the recording goes into rows. SDKs wait
// 10 s and more, and the rows need their part of HOGFLARE_ANSWER_WITHIN_SECS.
inline constexpr uint32_t kRecordingPutTimeoutMs = 2'000;
// After an object that was not put, requests do not try for so long: each would wait.
inline constexpr int64_t kRecordingPauseMs = 10'000;
// Objects of one request: a page sends the parts of one session and window. The rest goes into
// rows.
inline constexpr size_t kRecordingPutsMax = 8;
// Addresses that an index row names, and bytes of each.
inline constexpr size_t kRecordingUrlsMax = 20;
inline constexpr size_t kRecordingUrlBytesMax = 2'048;
// Objects in one answer of a recording; each is a subrequest, of which the free plan allows 1,000
// to services.
inline constexpr uint32_t kRecordingPartsMax = 400;
// Rows that one statement names of a recording that lies in the tables, and bytes of their
// properties in one answer: the engine's JSON of them, in which every quote is escaped, stays below
// kQueryReplyBytesMax.
inline constexpr int64_t kRecordingRowsMax = 500;
inline constexpr int64_t kRecordingRowsBytesMax = 1u << 20;
// How far back a list of recordings looks, in hours: 30 days, and at most a year.
inline constexpr int64_t kRecordingListHours = 30 * 24;
inline constexpr int64_t kRecordingListHoursMax = 366 * 24;
// Sessions that a list may be asked for by name; a page of visits has as many.
inline constexpr size_t kRecordingsNamedMax = 100;
// Listings of the bucket for one list where no engine can be asked: 20,000 objects.
inline constexpr uint32_t kRecordingListCallsMax = 20;
// Keys of one listing and of one removal. R2: 1,000.
inline constexpr uint32_t kBucketKeysMax = 1'000;
// Listings of one removal, with a removal each; what is left is told and asked for again.
inline constexpr uint32_t kRemovalCallsMax = 200;
// Sessions that one request removes, and its body: their ids with room to spare.
inline constexpr size_t kRemovedSessionsMax = 100;
inline constexpr size_t kRemovedSessionsBytesMax = 32u << 10;

// --- Symbol sets (docs/RECORDINGS.md) ---

// Bytes of a file with a symbol set as it is uploaded: what the host brings over. PostHog: 100 MB.
inline constexpr size_t kSymbolSetBytesMax = 24u << 20;
// Symbol sets of one start or finish; posthog-cli sends 50 at once (--batch-size).
inline constexpr size_t kSymbolSetsMax = 250;
// Bytes of a symbol set's or release's record, and of what a client says of one.
inline constexpr uint32_t kSymbolRecordBytesMax = 64u << 10;
// Bytes of a chunk's id, a release's hash, project or version. PostHog: 128 for the hash.
inline constexpr size_t kSymbolNameBytesMax = 200;
// An upload's address is good for so long. PostHog: 5 minutes.
inline constexpr int64_t kSymbolUploadMs = 300'000;

}  // namespace hogflare::limits
