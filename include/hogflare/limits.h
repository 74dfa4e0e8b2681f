// Every number that bounds something, in one place: unit, reason, source.
//
// Names end in their unit. A bound that comes from outside names its source; one of our own says
// what it protects.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hogflare::limits {

// --- Requests (wire-protocol.md §2.7, §4.1, §5, §6.2) ---

// Wire body of the v0 analytics routes. PostHog: 20 MiB.
inline constexpr size_t kCaptureWireBytesMax = 20u << 20;
// Wire body of /s/. PostHog: 25 MiB.
inline constexpr size_t kReplayWireBytesMax = 25u << 20;
// Wire body of capture v1. PostHog: 10 MiB on the wire.
inline constexpr size_t kCaptureV1WireBytesMax = 10u << 20;
// Body after decompression, all routes. PostHog allows about five times the wire size; an isolate
// has 128 MiB for everything, so a bomb stops here instead.
inline constexpr size_t kDecompressedBytesMax = 32u << 20;
// Wire body of /flags and /decide: persons' and groups' properties for one person.
inline constexpr size_t kFlagsWireBytesMax = 2u << 20;

// --- JSON documents ---

// Nesting a parser follows before it calls a document hostile; real events stay below 30.
inline constexpr uint32_t kJsonDepthMax = 128;
// Values indexed in one request body (16 bytes each). 20 MiB of small events hold about 1.2 M.
inline constexpr uint32_t kJsonNodesMax = 2'000'000;

// --- Events (wire-protocol.md §2.5, §2.7) ---

// distinct_id is cut to this many code points. PostHog: 200 (common/types/event.rs).
inline constexpr size_t kDistinctIdChars = 200;
// Event name is cut to this many UTF-16 units. PostHog ingestion: 200.
inline constexpr size_t kEventNameUnits = 200;
// Token length. PostHog: 64 (capture/token.rs).
inline constexpr size_t kTokenBytesMax = 64;
// Replay session id length. PostHog: 70.
inline constexpr size_t kSessionIdBytesMax = 70;

// --- Sink (platform.md §1.2) ---

// Bytes of one send. The sink takes 5 MB; one MiB is left for what it adds.
inline constexpr size_t kSendBytesMax = 4u << 20;
// Bytes of one row. The sink refuses the whole send for a row over about 1 MB.
inline constexpr size_t kRowBytesMax = 1'000'000;
// Bytes of one JSON column after escaping, so that several large ones still fit a row.
inline constexpr size_t kColumnBytesMax = 512u << 10;

// --- People and groups (identity-semantics.md) ---

// Person properties, serialised. PostHog refuses an update above it.
inline constexpr size_t kPersonPropertiesBytesMax = 655'360;
// PostHog trims an oversized stored record to this.
inline constexpr size_t kPersonPropertiesTrimBytes = 524'288;
// A value in a Durable Object's storage. Cloudflare: 2 MB for key and value together.
inline constexpr size_t kStorageValueBytesMax = 2'000'000;
// Group types per project. PostHog: five slots.
inline constexpr int kGroupTypes = 5;

}  // namespace hogflare::limits
