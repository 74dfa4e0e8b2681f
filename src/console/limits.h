// Every number that bounds the console: unit, reason, source.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hogflare::limits {

// A sign-in lasts a working day.
inline constexpr int64_t kConsoleSessionS = 12 * 3'600;
// Wrong tokens of one address that are answered within a window; then one a window, until none came
// for ten minutes.
inline constexpr uint32_t kSignInAttemptsMax = 5;
inline constexpr int64_t kSignInWindowMs = 60'000;
inline constexpr int64_t kSignInForgivenMs = 600'000;
// Body of the console's own requests, decoded: a flags document or a dashboard.
inline constexpr size_t kConsoleBodyBytesMax = 2u << 20;
// Body that signs somebody in: a token and its name, from whoever comes.
inline constexpr size_t kSignInBodyBytesMax = 4u << 10;
// Copies of a document's text while it is read, checked and answered.
inline constexpr size_t kDocumentCopiesMax = 2;

// People whom a flag is counted over in one request, and answers to all of them: of the flag, its
// conditions with their filters, and the flags it depends on. 20,000 take half a second.
inline constexpr size_t kAudienceMax = 200;
inline constexpr size_t kAudienceAnswersMax = 20'000;

// An isolate asks a project's object this often whether somebody looks at what arrives.
inline constexpr int64_t kLiveAskMs = 10'000;
// Of one request so many events, and rejects and warnings, go to who looks; and so much of an
// event's properties. A page is shown 50 events a second.
inline constexpr size_t kLiveEventsMax = 50;
inline constexpr size_t kLiveNotesMax = 20;
inline constexpr size_t kLivePropertiesBytesMax = 16u << 10;
// The address, screen and library that stand in an event's line; a longer one is left out.
inline constexpr size_t kLiveTextBytesMax = 4u << 10;

// Keys of Cloudflare Access are read again after so long; they change every six weeks, with the
// next one published before. And at most so often when there are none or an unknown one is named.
inline constexpr int64_t kAccessKeysAgeMs = 3'600'000;
inline constexpr int64_t kAccessKeysRetryMs = 60'000;
inline constexpr uint32_t kAccessKeysTimeoutMs = 5'000;
// Clocks of Access and of this Worker may differ by so much.
inline constexpr int64_t kAccessSkewS = 60;
inline constexpr size_t kAccessTokenBytesMax = 16u << 10;
// Of a second an isolate shows who looks so many requests; of the others it tells how many there
// were.
inline constexpr uint32_t kLiveFeedsPerSecond = 50;

}  // namespace hogflare::limits
