// What the core sees of a request beside its body. Filled at the border from the ABI; every view
// lives as long as the request. An absent header is an empty view.
//
//   RequestHead head;
//   head.method = "POST";
//   head.path = "/batch/";
//   head.content_encoding = "gzip";
//   Result<std::unique_ptr<CaptureBatch>> batch = decode_capture(head, std::move(body), context);
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hogflare/edge_info.h"

namespace hogflare {

// An HTTP request as the host hands it over: `head` is the fields of js-shim/abi.js in that order,
// each ended by a NUL; `body` the raw bytes, which the task may change in place.
struct HttpInput {
  std::string head;
  std::string body;
};

struct RequestHead {
  std::string_view method = "GET";
  std::string_view path;   // without query and without HOGFLARE_PATH_PREFIX
  std::string_view query;  // without the question mark

  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view user_agent;
  std::string_view origin;
  std::string_view referer;
  std::string_view authorization;
  std::string_view if_none_match;
  std::string_view sec_fetch_mode;
  std::string_view x_posthog_project_api_key;

  std::string_view x_posthog_signature;
  std::string_view x_hub_signature;

  std::string_view posthog_sdk_info;
  std::string_view posthog_attempt;
  std::string_view posthog_request_id;
  std::string_view posthog_request_timestamp;

  std::string_view cf_connecting_ip;
  std::string_view x_forwarded_for;
  std::string_view cf_ray;

  std::string_view access_control_request_headers;
  std::string_view access_control_request_method;

  EdgeInfo edge;

  // "https://hogflare.example": where the client found this Worker. Only for paths with
  // /api/ in them, empty elsewhere.
  std::string_view own_origin;
};

// Headers that only the console's paths need, and the address that the browser asked. Empty
// elsewhere.
struct ConsoleHead {
  std::string_view own_origin;  // "https://hogflare.example.workers.dev"
  std::string_view origin;      // also where RequestHead::origin is left out
  std::string_view cookie;
  std::string_view csrf;  // x-hogflare-csrf
  std::string_view sec_fetch_site;
  std::string_view if_match;
  std::string_view accept;
  std::string_view access_jwt;  // cf-access-jwt-assertion
  std::string_view upgrade;
};

}  // namespace hogflare
