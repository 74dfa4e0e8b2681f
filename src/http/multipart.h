// multipart/form-data (RFC 7578), as far as an upload of one file needs it.
#pragma once

#include <string_view>

#include "hogflare/result.h"

namespace hogflare {

// The place of a field's content in a body; size npos: there is no such field.
struct FormPart {
  size_t begin = 0;
  size_t size = std::string_view::npos;
  bool exists() const { return size != std::string_view::npos; }
};

// The first field called `name` of a body with this Content-Type.
FormPart find_form_part(std::string_view content_type, std::string_view body,
                        std::string_view name);

}  // namespace hogflare
