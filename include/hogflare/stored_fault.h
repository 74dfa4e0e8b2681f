// A stored value that this code cannot read: written by another version, or damaged. Stored bytes
// are input like any other, so such a value fails the call that needs it and nothing else; what
// that call's turn has written is undone by the host, which undoes every turn that ends in an
// error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hogflare/task.h"

namespace hogflare {

struct StoredFault {
  std::string key;
  // The version byte that was found; equal to `known`: the version is right, the rest is not.
  // -1: there is nothing where another value says that there is something.
  int found = 0;
  int known = 0;
};

// Logs class, key and versions, and makes the reply of the failed call: object_unavailable.
Reply refuse_stored(const Turn& turn, std::string_view object_class, const StoredFault& fault);

}  // namespace hogflare
