#include "insights/channel.h"

#include <fmt/format.h>

#include "insights/kinds.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

// Names of sources and, after "www." or any subdomain, of referring domains.
constexpr std::string_view kSearch =
    "google|bing|duckduckgo|yahoo|yandex|baidu|ecosia|qwant|startpage|brave|ask|naver|seznam|sogou|"
    "kagi|presearch|mojeek";
constexpr std::string_view kSocial =
    "facebook|fb|instagram|ig|twitter|x|t.co|linkedin|lnkd|reddit|pinterest|tiktok|threads|"
    "mastodon|bluesky|bsky|snapchat|tumblr|"
    "quora|weibo|vk|whatsapp|telegram|discord|hackernews|news.ycombinator|hn";
constexpr std::string_view kVideo = "youtube|youtu|vimeo|twitch|dailymotion|netflix|wistia";
constexpr std::string_view kShopping =
    "amazon|ebay|etsy|walmart|alibaba|aliexpress|shopify|shopping|mercadolibre|rakuten|shopzilla|"
    "target";
constexpr std::string_view kMail =
    "gmail|mail|outlook|hotmail|mailchimp|sendgrid|klaviyo|newsletter|email|e-mail|mail.google|"
    "mail.yahoo";
constexpr std::string_view kPush = "push|webpush|onesignal|pushengage|firebase";
constexpr std::string_view kSms = "sms|twilio";

std::string dots_escaped(std::string_view names) {
  std::string out;
  for (char c : names) out += c == '.' ? std::string("\\.") : std::string(1, c);
  return out;
}

// CASE branches that name a kind by the lower-cased text; `paid` prefixes the kinds that can be
// paid.
std::string kinds(const std::string& text, bool is_domain, bool paid, Dialect dialect) {
  const auto test = [&](std::string_view names) {
    const std::string pattern = is_domain
                                    ? fmt::format("(^|\\.)({})(\\.[a-z]+)+$", dots_escaped(names))
                                    : fmt::format("^({})(\\.[a-z]+)*$", dots_escaped(names));
    return matches(dialect, text, pattern);
  };
  const std::string_view prefix = paid ? "Paid" : "Organic";
  std::string out;
  const auto add = [&](std::string_view names, const std::string& kind) {
    out += fmt::format(" WHEN {} THEN {}", test(names), literal(kind));
  };
  if (!paid) add(kMail, "Email");
  add(kVideo, fmt::format("{} Video", prefix));
  add(kSocial, fmt::format("{} Social", prefix));
  add(kShopping, fmt::format("{} Shopping", prefix));
  add(kSearch, fmt::format("{} Search", prefix));
  if (!paid && !is_domain) {
    add(kPush, "Push");
    add(kSms, "SMS");
  }
  return out;
}

std::string mediums(const std::string& m, bool paid, Dialect dialect) {
  const std::string_view prefix = paid ? "Paid" : "Organic";
  std::string out = fmt::format(
      " WHEN {0} IN ('social', 'sm') OR {1} THEN '{2} Social' WHEN {0} = 'video' THEN '{2} Video'",
      m, matches(dialect, m, "^social[- ](media|network)$"), prefix);
  out += fmt::format(
      " WHEN {} IN ('banner', 'cpm', 'display', 'expandable', 'interstitial') THEN 'Display'", m);
  if (paid) return out;
  return out +
         fmt::format(
             " WHEN {0} IN ('affiliate', 'partner', 'partners', 'partnership', 'partnerships') "
             "THEN 'Affiliate' WHEN {0} IN ('app', 'link', 'referral') THEN 'Referral' "
             "WHEN {0} = 'audio' THEN 'Audio' WHEN {0} IN ('email', 'e-mail', 'e_mail', 'e mail') "
             "THEN 'Email' "
             "WHEN {0} IN ('mobile', 'notification', 'push') THEN 'Push' WHEN {0} = 'sms' THEN "
             "'SMS'",
             m);
}

}  // namespace

std::string channel_sql(const ChannelTexts& texts, Dialect dialect) {
  const auto tidy = [](const std::string& x) {
    return fmt::format("nullif(nullif(lower({}), ''), 'null')", x);
  };
  const std::string s = tidy(texts.source);
  const std::string m = tidy(texts.medium);
  const std::string c = tidy(texts.campaign);
  const std::string d = texts.referring_domain;
  const auto set = [](const std::string& x) { return fmt::format("coalesce({}, '') <> ''", x); };
  const std::string paid = fmt::format(
      "(coalesce({0} IN ('cpc', 'cpm', 'cpv', 'cpa', 'ppc', 'retargeting') OR substr({0}, 1, 4) = "
      "'paid', FALSE) OR {1} OR {2})",
      m, set(texts.gclid), set(texts.gad_source));
  const std::string shop = matches(dialect, c, "^(.*(([^a-df-z]|^)shop|shopping).*)$");
  const std::string video = matches(dialect, c, "video");
  const std::string paid_case = fmt::format(
      "CASE{} WHEN {} THEN 'Paid Shopping'{}{} WHEN {} = '1' THEN 'Paid Search' WHEN {} THEN 'Paid "
      "Video' WHEN {} THEN 'Paid Social' ELSE 'Paid Unknown' END",
      kinds(s, false, true, dialect), shop, mediums(m, true, dialect),
      kinds(d, true, true, dialect), texts.gad_source, video, set(texts.fbclid));
  const std::string organic = fmt::format(
      "CASE{} WHEN {} THEN 'Organic Shopping'{}{} WHEN {} THEN 'Organic Video' WHEN {} THEN 'Push' "
      "WHEN {} THEN 'Organic Social' "
      "WHEN {} = '$direct' THEN 'Direct' WHEN {} THEN 'Referral' ELSE 'Unknown' END",
      kinds(s, false, false, dialect), shop, mediums(m, false, dialect),
      kinds(d, true, false, dialect), video, matches(dialect, m, "push$"), set(texts.fbclid), d,
      set(d));
  return fmt::format(
      "CASE WHEN strpos({}, 'cross-network') > 0 THEN 'Cross Network' WHEN {} THEN {} "
      "WHEN {} = '$direct' AND {} IS NULL AND coalesce({}, 'direct') IN ('(direct)', 'direct', "
      "'$direct') AND NOT {} THEN 'Direct' ELSE {} END",
      c, paid, paid_case, d, m, s, set(texts.fbclid), organic);
}

Built build_channel(const View& question, const Context& context) {
  question.only({"session"});
  const View session = question["session"];
  session.only({"utm_source", "utm_medium", "utm_campaign", "referring_domain", "gclid",
                "gad_source", "fbclid"});
  const auto text = [&](std::string_view key) {
    const auto value = session[key].optional_text();
    return value ? literal(*value) : std::string("CAST(NULL AS VARCHAR)");
  };
  const ChannelTexts texts{.source = text("utm_source"),
                           .medium = text("utm_medium"),
                           .campaign = text("utm_campaign"),
                           .referring_domain = text("referring_domain"),
                           .gclid = text("gclid"),
                           .gad_source = text("gad_source"),
                           .fbclid = text("fbclid")};
  Built built;
  built.statements.push_back({.sql = fmt::format("SELECT {} AS channel FROM ({}) AS one",
                                                 channel_sql(texts, context.dialect),
                                                 one_row(table_name(context.project.events))),
                              .columns = {"channel"}});
  built.read = [](const std::vector<Rows>& tables) {
    return Json{{"results", tables[0].empty() ? Json() : cell_of(tables[0][0][0])}};
  };
  return built;
}

}  // namespace hogflare::insights
