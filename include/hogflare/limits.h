// Every number that bounds something, in one place: unit, reason, source.
//
// Names end in their unit. A bound that comes from outside names its source; one of our own says
// what it protects.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hogflare::limits {

// --- Requests (W-2.7, W-4.1, W-5, W-6.2) ---

// Wire body of the v0 analytics routes. PostHog: 20 MiB.
inline constexpr size_t kCaptureWireBytesMax = 20u << 20;
// Wire body of /s/. PostHog: 25 MiB.
inline constexpr size_t kReplayWireBytesMax = 25u << 20;
// Wire body of capture v1. PostHog: 10 MiB on the wire.
inline constexpr size_t kCaptureV1WireBytesMax = 10u << 20;
// Body after decompression, all routes. PostHog allows about five times the wire size; an isolate
// has 128 MiB for everything, so a bomb stops here instead.
inline constexpr size_t kDecompressedBytesMax = 32u << 20;
// Text of an LZ-string body, which only posthog-js of before 2021 sends. It passes through UTF-16,
// so it needs three times its size.
inline constexpr size_t kLzStringBytesMax = 8u << 20;
// Wire body of /flags and /decide: persons' and groups' properties for one person.
inline constexpr size_t kFlagsWireBytesMax = 2u << 20;
// The same after decompression.
inline constexpr size_t kFlagsDecompressedBytesMax = 8u << 20;

// Memory of all capture requests in flight in an isolate, of the module's 96 MiB; what does not fit
// is answered 503. The rest is for sends, objects, caches and the allocator's gaps: a freed block
// that is a little too small for the next request's is a gap, so that as much again as the largest
// block may be idle.
inline constexpr size_t kRequestMemoryBytesMax = 46u << 20;
// What a request takes beside its body and index however small it is.
inline constexpr size_t kRequestMemoryBytesBase = 16u << 10;
// What an event takes in memory beside its JSON: decoded, with its person, and as a row.
inline constexpr size_t kEventMemoryBytes = 1'200;

// --- JSON documents ---

// Nesting a parser follows before it calls a document hostile; real events stay below 30.
inline constexpr uint32_t kJsonDepthMax = 128;
// Values indexed in one request body (16 bytes each). 20 MiB of small events hold about 1.2 M.
inline constexpr uint32_t kJsonNodesMax = 2'000'000;

// --- Events (W-2.5, W-2.7) ---

// distinct_id is cut to this many code points. PostHog: 200 (common/types/event.rs).
inline constexpr size_t kDistinctIdChars = 200;
// Event name is cut to this many UTF-16 units. PostHog ingestion: 200.
inline constexpr size_t kEventNameUnits = 200;
// Capture v1 drops an event with a longer name or distinct_id, in bytes. PostHog: 200
// (capture/src/v1/analytics/constants.rs).
inline constexpr size_t kV1NameBytesMax = 200;
// Capture v1's PostHog-Sdk-Info; a longer one names no library. PostHog: 200.
inline constexpr size_t kV1SdkInfoBytesMax = 200;
// JSON of one event; a larger one is refused. A row takes an eighth of it, and the event's
// properties are copied several times on their way through identity. PostHog refuses from about 1
// MB.
inline constexpr size_t kEventBytesMax = 8u << 20;
// Values of one event's JSON, down to the members of its properties' objects. Whoever shortens or
// rewrites the event has a place in memory for each.
inline constexpr size_t kEventValuesMax = 320'000;
// What a token, a time, a uuid and a text option of capture v1 may have as they stand in JSON,
// quotes and escapes counted; nothing that is longer is one, and it is not decoded to find out.
inline constexpr size_t kTokenRawBytesMax = 1'024;
inline constexpr size_t kTimeRawBytesMax = 512;
inline constexpr size_t kUuidRawBytesMax = 512;
inline constexpr size_t kV1OptionRawBytesMax = 1'024;
// Text of `$exception_list` that is looked into, and what of it counts for a fingerprint: one with
// more has no columns, or those of its beginning. PostHog takes no event of more than 1 MB.
inline constexpr size_t kExceptionListBytesMax = 1u << 20;
inline constexpr size_t kExceptionsMax = 100;
inline constexpr size_t kExceptionFramesMax = 2'000;
// Text of `$elements` that is turned into a chain; a longer list stays as it came. Browsers send a
// few dozen elements of some hundred bytes each.
inline constexpr size_t kElementsBytesMax = 512u << 10;
// `$el_text` and `attr__href` in a chain, in UTF-16 units. PostHog: 400 and 2048
// (nodejs/src/common/utils/elements-chain.ts).
inline constexpr size_t kElementTextUnits = 400;
inline constexpr size_t kElementHrefUnits = 2048;
// `fbclid` that becomes `$fbc`. PostHog: 400 (nodejs/src/common/utils/db/utils.ts).
inline constexpr size_t kFbclidBytesMax = 400;
// Between the time inside of a version 7 uuid and the event's, before a warning. PostHog: three
// days (validate-event-uuid-timestamp.ts).
inline constexpr int64_t kUuidDriftMsMax = int64_t{3} * 24 * 60 * 60 * 1000;
// Warnings of one kind about one project's data that one isolate writes in an hour. PostHog: one.
inline constexpr uint32_t kDataWarningsPerHour = 20;
// Events of one request, in whatever shape. SDKs send hundreds, imports a few thousand; each takes
// memory and a row of its own however small it is, so 3 KB of gzip may not name a million. An
// operator may set less (HOGFLARE_EVENTS_PER_REQUEST_MAX).
inline constexpr size_t kEventsPerRequestMax = 50'000;
// Events of one request that are decoded and given their people at once, and bytes of their JSON: a
// body of 20 MiB may hold 600,000 events of 32 bytes, and each takes some 400 in memory.
inline constexpr size_t kWindowEventsMax = 10'000;
inline constexpr size_t kWindowBytesMax = 4u << 20;
// Token length. PostHog: 64 (capture/token.rs).
inline constexpr size_t kTokenBytesMax = 64;
// Replay session id length. PostHog: 70.
inline constexpr size_t kSessionIdBytesMax = 70;

// --- Sink (P-1.2) ---

// Bytes of one send. The sink takes 5 MB; one MiB is left for what it adds.
inline constexpr size_t kSendBytesMax = 4u << 20;
// Bytes of one row. The sink refuses the whole send for a row over about 1 MB.
inline constexpr size_t kRowBytesMax = 1'000'000;
// What is left of a value that is cut because its row is too large; below that it goes whole.
inline constexpr size_t kCutValueBytesMin = 256;
// Rows of one request that are in memory at once: with their copies on the way out this keeps a
// body of 20 MiB within 100 MiB of the isolate's 128. A person of 600 KB stands on each row.
inline constexpr size_t kRowsInMemoryBytes = 6u << 20;
// Payload and detail a reject row keeps: enough to recognise and often to replay an event.
inline constexpr size_t kRejectPayloadBytesMax = 64u << 10;
inline constexpr size_t kRejectDetailBytesMax = 2000;
// Reject rows of one request; one more row counts the rest. A few show what is wrong with a client.
// An operator may set another number (HOGFLARE_REJECT_ROWS_MAX), up to the events of a request.
inline constexpr size_t kRejectRowsMax = 1'000;
// Bytes of person and group properties that the rows of one request carry: so many, and so many per
// byte received. A stranger's 243 bytes could otherwise fill the outbox with copies of a large
// person.
inline constexpr uint64_t kCarriedBytesFree = 32u << 20;
inline constexpr uint64_t kCarriedBytesPerByte = 16;
// Bytes of a text in a typed column of events; the rest stands in `properties`. Longer ones are
// addresses with tokens in them and messages with data in them, which nobody groups by.
inline constexpr size_t kColumnTextBytesMax = 1'024;
// Bytes of `custom_properties`. Basin SQL's JSON functions refuse a text of 2,000 bytes.
inline constexpr size_t kCustomPropertiesBytesMax = 1'900;
// Bytes of a client's `$exception_fingerprint` that is kept as it is; of a longer one the SHA-512.
// PostHog: 64 (rust/cymbal fingerprinting, normalize_manual_fingerprint).
inline constexpr size_t kFingerprintBytesMax = 64;
// Bytes of one JSON column after escaping, so that several large ones still fit a row.
inline constexpr size_t kColumnBytesMax = 512u << 10;

// --- Delivery in the request (docs/DELIVERY.md) ---

// Sends and outbox calls of one request in flight together. Workers allow six connections for
// one invocation (P-4.1); two are left for object calls.
inline constexpr uint32_t kSendsAtOnce = 4;
// The same for the persons and the rejects stream each, so that a hanging one leaves events room.
inline constexpr uint32_t kSideSendsAtOnce = 1;
// Attempts of one send before its rows go to the outbox, which has more patience than a client.
inline constexpr uint32_t kSendAttempts = 3;
// Sends of one request, retries and halves included, after which its rows go to the outbox. The
// largest request has about a hundred; a sink that answers 413 to everything would have every row
// sent alone, and Workers allow 10,000 subrequests for one invocation (P-4.1).
inline constexpr uint32_t kSendsPerRequestMax = 300;
// From the first send of a request until no further attempt starts. Node gives up after 10 s,
// Python after 15 s, posthog-js after 60 s (W-10.2).
inline constexpr uint32_t kDeliveryDeadlineMs = 20'000;
// What a request keeps of its time (HOGFLARE_ANSWER_WITHIN_SECS) for the outbox, should the sink
// not have answered until then: two objects' turns with 4 MiB each.
inline constexpr uint32_t kAnswerReserveMs = 500;
// An attempt that could wait less than this for its answer is not worth starting.
inline constexpr uint32_t kSendTimeoutMinMs = 1'000;
// Full jitter between attempts: uniform below base × 2^attempt, at most the cap.
inline constexpr uint32_t kSendBackoffBaseMs = 100;
inline constexpr uint32_t kSendBackoffCapMs = 2'000;
// A longer Retry-After is left to the outbox.
inline constexpr uint32_t kSendRetryAfterMaxMs = 2'000;
// Failures of one stream in a row, within the window, after which the isolate stops asking it.
inline constexpr uint32_t kBreakerFailures = 5;
inline constexpr uint32_t kBreakerWindowMs = 30'000;
// Pause before a probe; doubles with every failed probe up to the maximum.
inline constexpr uint32_t kBreakerPauseMs = 2'000;
inline constexpr uint32_t kBreakerPauseMaxMs = 30'000;
// The first pause after a send that got no answer at all: longer than a request waits for one, so
// that one request at a time finds out.
inline constexpr uint32_t kBreakerHangPauseMs = 5'000;
// What of a sink's error text is kept in logs and in the outbox.
inline constexpr size_t kReasonBytesMax = 200;

// --- Outbox objects (docs/DELIVERY.md) ---

// One object takes 200 to 500 writes a second (P-3.2).
inline constexpr uint32_t kOutboxShards = 8;
// Shards asked before a put has failed.
inline constexpr uint32_t kOutboxShardTries = 3;
// Bytes of a send in one stored value; below kStorageValueBytesMax with room for key and header.
inline constexpr size_t kOutboxPieceBytes = 1'900'000;
// Counted on top of a stored send's rows, so that many tiny sends are bounded too.
inline constexpr uint64_t kOutboxEntryOverheadBytes = 512;
// Sends of one alarm in flight together, events and the other streams each: all may be 4 MiB of the
// isolate's 128.
inline constexpr uint32_t kOutboxSendsAtOnce = 2;
inline constexpr uint32_t kOutboxSideSendsAtOnce = 1;
// Of all outbox objects of an isolate together, on their way: eight that come back after an outage
// must not fill it. Apart from what requests may hold, so that neither waits for the other for
// ever.
inline constexpr size_t kOutboxMemoryBytesMax = 12u << 20;
// Until an alarm that found no room tries again.
inline constexpr uint32_t kOutboxMemoryWaitMs = 500;
// Stored sends joined into one: a send takes 400 ms however little it carries (P-1.2).
inline constexpr uint32_t kOutboxParcelSends = 100;
// Failed sends of a stream in a row within one alarm after which it waits for the next.
inline constexpr uint32_t kOutboxRunFailures = 3;
// One alarm stops starting sends after this long or this many, and goes on in the next. Cloudflare
// ends an alarm after 15 minutes.
inline constexpr uint32_t kOutboxRunMs = 25'000;
inline constexpr uint32_t kOutboxRunSends = 200;
// Wait before a stored send's first attempt, and between failed ones: base × 2^failures, half of it
// jitter, up to the cap.
inline constexpr uint32_t kOutboxBackoffBaseMs = 2'000;
inline constexpr uint32_t kOutboxBackoffCapMs = 300'000;
// Until the next alarm when one ended with work left that nothing speaks against.
inline constexpr uint32_t kOutboxContinueMs = 100;
// Set before an alarm does anything: when it dies, the next one comes this much later.
inline constexpr uint32_t kOutboxRearmMs = 60'000;
// Failures of a send that travelled alone, after which it is halved: perhaps one row is at fault.
inline constexpr uint32_t kOutboxSuspectFailures = 5;
// Share of a shard's bytes (a third) that persons and rejects may fill each: a side stream whose
// sink is gone for good must not cost events their place.
inline constexpr uint64_t kOutboxSideBytesShare = 3;
// Quarantined rows in one shard, and their share of the shard's bytes (a quarter).
inline constexpr uint64_t kQuarantineRowsMax = 10'000;
inline constexpr uint64_t kQuarantineBytesShare = 4;
// One answer of the quarantine's list, from one shard.
inline constexpr uint32_t kQuarantineListRows = 100;
inline constexpr size_t kQuarantineListBytes = 1u << 20;
// Quarantined rows moved back in one redrive call to a shard.
inline constexpr uint32_t kRedriveRows = 500;

// --- Metrics and logs ---

// Log lines kept until the host takes them, and bytes of one.
inline constexpr size_t kLogLinesMax = 64;
inline constexpr size_t kLogLineBytesMax = 2'048;
// Different warning names counted; the rest is counted as "other".
inline constexpr size_t kWarningNamesMax = 64;

// --- Observability ---

// How often an isolate writes its counters to Analytics Engine, which bills each point.
inline constexpr int64_t kPointsIntervalMs = 10'000;
// How old the outbox figures on /healthz may be: they cost a call a shard, and anybody may ask.
inline constexpr int64_t kHealthAgeMs = 5'000;

// --- People and groups (docs/rules/identity.md) ---

// Person properties, serialised. PostHog refuses an update above it.
inline constexpr size_t kPersonPropertiesBytesMax = 655'360;
// PostHog trims an oversized stored record to this.
inline constexpr size_t kPersonPropertiesTrimBytes = 524'288;
// A value in a Durable Object's storage. Cloudflare: 2 MB for key and value together.
inline constexpr size_t kStorageValueBytesMax = 2'000'000;
// Distinct ids kept inside a person's record; more move to pages of their own, so that a person
// with ten thousand ids does not rewrite them with every property.
inline constexpr size_t kPersonInlineIdsBytesMax = 16u << 10;
// One page of ids. A look for one id reads an index and one page, so pages are short.
inline constexpr size_t kPersonIdPageBytesMax = 32u << 10;
// Distinct ids of one person, and their bytes: a merge that would pass either is refused with a
// warning. A reader of the persons stream gets all of them in one report, and a merge moves them in
// memory. PostHog moves at most a configured number in one merge and has shown 2,500 in its UI.
inline constexpr size_t kPersonIdsMax = 20'000;
inline constexpr size_t kPersonIdsBytesMax = 8u << 20;
// An identifier wherever it is stored: 400 code points, the most PostHog merges
// (nodejs person-utils.ts), of four bytes.
inline constexpr size_t kIdBytesMax = 1'600;
// Code points of a group's type and of its key. PostHog's columns hold 400.
inline constexpr size_t kGroupNameChars = 400;
// Pages of ids in one answer of an object that surrenders its person; the rest is asked for in
// turn.
inline constexpr size_t kSurrenderBytesMax = 2u << 20;
// The operation that a merge under way carries, when it stands in the person's record; a larger one
// gets a row of its own, so that both stay below kStorageValueBytesMax.
inline constexpr size_t kIntentInlineBytesMax = 16u << 10;
// Names one event may ask to unset, as text; what a person holds has at most
// kPersonPropertiesBytesMax.
inline constexpr size_t kUnsetBytesMax = 256u << 10;
// The list of them as it stands in JSON.
inline constexpr size_t kUnsetRawBytesMax = 512u << 10;
// Flag continuity keys of a person; those of further flags are not kept.
inline constexpr size_t kHashKeysBytesMax = 256u << 10;
// A reply of a person's object; the rest of the operations is sent again. RPC carries 32 MiB. Texts
// of rows beyond an eighth of it must be paid for by the operations' own bytes
// (kCarriedBytesPerByte), else they are left out: a large person that every event changes would be
// written, compared and read for each.
inline constexpr size_t kPersonReplyBytesMax = 8u << 20;
// Operations' bytes in one call of a person's object, for the same reason.
inline constexpr size_t kPersonCallBytesMax = 8u << 20;
// Object calls of one request that are under way at once. Cloudflare slows accounts that look up
// very many objects at the same time (P-3.2).
inline constexpr size_t kObjectCallsInFlight = 48;
// Object calls that a request is planned with, people and groups together:
// HOGFLARE_OBJECT_CALLS_MAX. Over it the request is refused whole. SDKs send the events of some
// tens of people; this stays below the free plan's 1,000 subrequests to services where nobody was
// merged (P-4.1).
inline constexpr uint32_t kObjectCallsMax = 900;
// What an operator may set. One event alone names at most a hundred groups and two people.
inline constexpr uint32_t kObjectCallsMaxLowest = 128;
inline constexpr uint32_t kObjectCallsMaxHighest = 50'000;
// All object calls of a request, redirects, retries, leases and the outbox included, are at most so
// many times HOGFLARE_OBJECT_CALLS_MAX: 3,600, and 300 sends, of the paid plan's 10,000
// subrequests.
inline constexpr uint32_t kObjectCallsFactor = 4;
// An object that does not answer within this counts as failed. Cloudflare's own limits are longer,
// SDKs' capture time-outs are 10 s and more.
inline constexpr uint32_t kObjectTimeoutMs = 10'000;
// The same for what a flag request reads: two tries fit into the 3 s that SDKs wait for flags.
inline constexpr uint32_t kFlagsReadTimeoutMs = 1'200;
// Redirects followed for one operation before it counts as failed.
inline constexpr int kRedirectHopsMax = 16;
// Times a busy or silent object is asked again within one call or request.
inline constexpr int kPersonAttemptsMax = 6;
// First delay before an alarm finishes a merge; it doubles with the merge's age.
inline constexpr int64_t kMergeAlarmMs = 10'000;
inline constexpr int64_t kMergeAlarmMsMax = 600'000;
// Changes of a person remembered so that copies of their events change nothing.
inline constexpr size_t kRecentChangesMax = 8;
// Merges of a person that the persons stream may not have heard of. Reached only while that stream
// and the outboxes are all down; then the oldest note goes.
inline constexpr size_t kUnreportedMergesMax = 1000;
// Rows of the distinct_ids stream that an object's alarm holds at once, in bytes; a person with ten
// thousand ids takes a few such parts.
inline constexpr size_t kDistinctIdRowsBytes = 1u << 20;
// Survivors whose merges an object has cancelled, and the last merges it carried out itself: as
// long as copies of their calls may still be under way.
inline constexpr size_t kCancelNotesMax = 64;
inline constexpr size_t kAppliedMergesMax = 4;
// Tombstones dismissed at once, and by one alarm before it lets the next one go on: each is an
// object call, of which the free plan allows 1,000 in one run.
inline constexpr size_t kAcknowledgeAtOnce = 16;
inline constexpr size_t kAcknowledgesPerAlarm = 480;
// Until the next alarm when one ended with work left that nothing speaks against.
inline constexpr int64_t kMergeContinueMs = 100;
// Sequential person ids taken from the counter at once, and when to take more.
inline constexpr uint64_t kPersonIdLease = 1000;
// What an isolate remembers of redirects, and of projects' group types and id leases; a table that
// is full is emptied. A hint saves a call and may be 2.4 KB, so bytes are counted, not entries.
inline constexpr size_t kRedirectHintsBytesMax = 2u << 20;
inline constexpr size_t kCachedTypesBytesMax = 512u << 10;
inline constexpr size_t kCachedProjectsMax = 1'000;
// What an entry of such a table takes beside its texts: a tree's node and two string heads.
inline constexpr size_t kCacheEntryBytes = 64;
// Raw JSON of an id that is turned into text: `alias`, $anon_distinct_id, group types and keys. An
// id of a merge has at most 400 characters, escaped 12 bytes each.
inline constexpr size_t kIdRawBytesMax = 8u << 10;
// Key of a $groupidentify, in UTF-16 units; a longer one drops the event. PostHog: 400
// (validate-event-properties.ts).
inline constexpr size_t kGroupKeyUnitsMax = 400;
// Groups one event may name; the rest is ignored with a warning. PostHog keeps five types.
inline constexpr size_t kGroupsPerEventMax = 100;
// A reply of a group's object: what fits is answered, the rest of the operations is sent again.
inline constexpr size_t kGroupReplyBytesMax = 8u << 20;
// Group types per project. PostHog: five slots.
inline constexpr int kGroupTypes = 5;

// --- Cookieless visitors (docs/COOKIELESS.md) ---

// Bytes of a day's salt, and of it that an id shows: 128 bits cannot be tried through.
inline constexpr size_t kCookielessSaltBytes = 32;
inline constexpr size_t kCookielessIdBytes = 16;
// A day's salt exists from so long before the day begins in UTC, for zones up to +12 and a clock
// that is ahead, until so long after: 14 hours of zones and 72 of lateness. PostHog:
// cookieless-manager.ts.
inline constexpr int64_t kCookielessSaltOpensMs = 12 * 3'600'000;
inline constexpr int64_t kCookielessSaltEndsMs = 86 * 3'600'000;
// A visitor's state is deleted so long after the salt, for a call that was under way.
inline constexpr int64_t kCookielessStateGraceMs = 3'600'000;
// UTF-16 units of $cookieless_extra that count. PostHog: 100.
inline constexpr size_t kCookielessExtraUnits = 100;
// A session ends after so long without an event. PostHog: 30 minutes.
inline constexpr int64_t kCookielessRestMs = 30 * 60'000;
// What a visitor's object remembers: log-ins, which copies of are known by, the sessions of the
// last ids, and events of which a copy must get the same id. SDKs send again within minutes.
inline constexpr size_t kCookielessIdentifiesMax = 256;
inline constexpr size_t kCookielessSessionsMax = 8;
inline constexpr size_t kCookielessRecentMax = 256;
// Calls of a salt's or visitor's object before the events count as failed, and the wait between.
inline constexpr int kCookielessAttemptsMax = 3;
inline constexpr uint32_t kCookielessRetryMs = 100;
// Salts an isolate remembers: five days of as many projects as have traffic there.
inline constexpr size_t kCookielessSaltsCachedMax = 1'000;
// Longer hosts are taken as they are; a domain name has at most 253 characters (RFC 1035).
inline constexpr size_t kCookielessHostBytesMax = 512;

}  // namespace hogflare::limits
