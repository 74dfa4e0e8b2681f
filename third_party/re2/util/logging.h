// Takes the place of RE2's own util/logging.h, which writes to stderr through iostreams.
//
// Why: the iostreams are a third of a megabyte of WebAssembly and import file functions from the
// host, for messages nobody reads: what RE2 would log, its callers also learn from RE2::error().
// This header keeps RE2's macros and their meaning (a failed CHECK never returns) and drops the
// text. It is found first because its folder stands first on the include path of RE2's build.

#ifndef UTIL_LOGGING_H_
#define UTIL_LOGGING_H_

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/util.h"

namespace re2_quiet {

struct Message {
  template <typename T>
  Message& operator<<(const T&) {
    return *this;
  }
};

struct FatalMessage {
  ATTRIBUTE_NORETURN ~FatalMessage() { __builtin_trap(); }
  template <typename T>
  FatalMessage& operator<<(const T&) {
    return *this;
  }
};

}  // namespace re2_quiet

#define DCHECK(condition) assert(condition)
#define DCHECK_EQ(val1, val2) assert((val1) == (val2))
#define DCHECK_NE(val1, val2) assert((val1) != (val2))
#define DCHECK_LE(val1, val2) assert((val1) <= (val2))
#define DCHECK_LT(val1, val2) assert((val1) < (val2))
#define DCHECK_GE(val1, val2) assert((val1) >= (val2))
#define DCHECK_GT(val1, val2) assert((val1) > (val2))

#define CHECK(x) \
  if (x) {       \
  } else         \
    ::re2_quiet::FatalMessage()
#define CHECK_EQ(x, y) CHECK((x) == (y))
#define CHECK_NE(x, y) CHECK((x) != (y))
#define CHECK_LE(x, y) CHECK((x) <= (y))
#define CHECK_LT(x, y) CHECK((x) < (y))
#define CHECK_GE(x, y) CHECK((x) >= (y))
#define CHECK_GT(x, y) CHECK((x) > (y))

#define LOG_INFO ::re2_quiet::Message()
#define LOG_WARNING ::re2_quiet::Message()
#define LOG_ERROR ::re2_quiet::Message()
#define LOG_FATAL ::re2_quiet::FatalMessage()
#define LOG_QFATAL LOG_FATAL
#ifdef NDEBUG
#define LOG_DFATAL LOG_ERROR
#else
#define LOG_DFATAL LOG_FATAL
#endif

#define LOG(severity) LOG_##severity
#define VLOG(x)  \
  if ((x) > 0) { \
  } else         \
    LOG_INFO

#endif  // UTIL_LOGGING_H_
