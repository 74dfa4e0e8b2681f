// What GET /api/projects/{id}/feature_flags is asked for, and its links from page to page.
//
//   flags::FlagListQuery query = read_flag_list_query("limit=2&active=true");
//   std::optional<std::string> next = next_page("https://h.example/flags?limit=2", query, 5);
//   *next == "https://h.example/flags?limit=2&offset=2"
//
// Source: Django REST framework's LimitOffsetPagination and PostHog's posthog/api/feature_flag.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hogflare/flags_responses.h"

namespace hogflare {

// What is no number counts as absent, as an unknown value of a filter does.
flags::FlagListQuery read_flag_list_query(std::string_view query);

// The links beside a page of `count` flags; nullopt: there is no such page. `url` is the request's.
std::optional<std::string> next_page(std::string_view url, const flags::FlagListQuery& query,
                                     int64_t count);
std::optional<std::string> previous_page(std::string_view url, const flags::FlagListQuery& query);

}  // namespace hogflare
