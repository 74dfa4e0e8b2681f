// Bounds of the Model Context Protocol's path: unit, reason, source.
#pragma once

#include <cstddef>

namespace hogflare::limits {

// --- The Model Context Protocol ---

// Body of a message: flag definitions to be written are the longest.
inline constexpr size_t kMcpBodyBytesMax = 2u << 20;
// A tool's answer; more than this fills any model's context.
inline constexpr size_t kMcpAnswerBytesMax = 1u << 20;
// Messages of one batch, which the protocol's version 2025-03-26 alone has; they run one after
// another.
inline constexpr size_t kMcpBatchMax = 8;
// Bytes of one text among a tool's arguments, where its schema says nothing else.
inline constexpr size_t kMcpTextBytesMax = 10'000;

}  // namespace hogflare::limits
