#include "console/pages.h"

#include "hogflare/digest.h"

namespace hogflare::console {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--bg:#fafaf9;--text:#1b1b18;--text2:#55554f;--line:#deded8;--sunken:#f3f3f0;
--accent:#0b57b8;--ok:#146c3a;--warn:#8a5300;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--bg:#131312;--text:#ededE8;--text2:#b4b4ac;--line:#33332f;
--sunken:#0e0e0d;--accent:#7db1ff;--ok:#62c98a;--warn:#e8ae4a;--bad:#ff8a80}}
body{margin:0;background:var(--bg);color:var(--text);font:14px/20px system-ui,sans-serif}
main{max-width:720px;margin:0 auto;padding:32px 16px}
h1{font-size:20px;line-height:26px;margin:0 0 8px}
h2{font-size:16px;line-height:22px;margin:24px 0 8px}
p{margin:0 0 8px;color:var(--text2)}
pre{background:var(--sunken);border:1px solid var(--line);border-radius:4px;padding:12px;margin:0 0 12px;
overflow-x:auto;font:13px/18px ui-monospace,monospace;user-select:all}
a{color:var(--accent)}
a:focus-visible,pre:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}
ul{margin:0;padding:0;list-style:none}li{padding:4px 0}
)css";

std::string encode_base64(std::string_view bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * k) & 63];
    }
  }
  return out;
}

// The one style is allowed by its digest.
std::string own_policy() {
  const Sha256Digest digest = sha256(kStyle);
  return "default-src 'none'; img-src data:; style-src 'sha256-" +
         encode_base64({reinterpret_cast<const char*>(digest.data()), digest.size()}) +
         "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
}

Reply page(uint16_t status, std::string_view title, std::string_view body) {
  std::string html =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<link rel=\"icon\" href=\"data:,\"><title>";
  html.append(escape_html(title)).append("</title><style>").append(kStyle);
  html.append("</style></head><body><main>").append(body).append("</main></body></html>\n");
  return {status, page_headers(own_policy()), std::move(html)};
}

}  // namespace

const std::string_view kApplicationPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src "
    "'self'; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'";
const std::string_view kReplayPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::vector<Header> page_headers(std::string_view policy) {
  return {{"Content-Type", "text/html; charset=utf-8"},
          {"Cache-Control", "no-cache"},
          {"Content-Security-Policy", std::string(policy)},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Opener-Policy", "same-origin"},
          {"X-Robots-Tag", "noindex"}};
}

Reply no_token_page() {
  return page(200, "Hogflare", R"html(<h1>The console needs a token</h1>
<p>Nobody can sign in until one is set. The first opens everything, the second is for looking only:</p>
<pre tabindex="0">npx wrangler secret put HOGFLARE_ADMIN_TOKEN</pre>
<pre tabindex="0">npx wrangler secret put HOGFLARE_VIEWER_TOKEN</pre>)html");
}

Reply message_page(uint16_t status, std::string_view title, std::string_view sentence) {
  return page(status, title,
              "<h1>" + escape_html(title) + "</h1><p>" + escape_html(sentence) + "</p>");
}

Reply front_page(const FrontPage& front) {
  const std::string host = escape_html(front.host);
  const std::string token = front.takes_any_token ? "phc_hogflare" : "your project&#39;s token";
  std::string body =
      "<h1>Hogflare</h1><p>This host takes events and answers feature flags as PostHog "
      "does, and keeps them in your own tables.</p><p role=\"status\">";
  body += front.status == "ok" ? "<b class=\"ok\">It works.</b>"
          : front.status == "degraded"
              ? "<b class=\"warn\">It takes events, and something needs a look.</b> "
                "The console&#39;s page Health says what."
              : "<b class=\"bad\">It takes no events: its configuration is not usable.</b> "
                "/healthz with the admin token says why.";
  body += " Version " + escape_html(front.version) +
          ".</p><h2>Send it something</h2>"
          "<p>Into a page&#39;s head:</p><pre tabindex=\"0\">&lt;script src=\"" +
          host + "/static/array.js\"&gt;&lt;/script&gt;\n&lt;script&gt;\n  posthog.init(\"" +
          token + "\", { api_host: \"" + host +
          "\", defaults: \"2026-01-30\" });\n&lt;/script&gt;</pre>"
          "<p>Or from a command line:</p><pre tabindex=\"0\">curl " +
          host + "/i/v0/e/ -H \"content-type: application/json\" \\\n  -d &#39;{\"api_key\": \"" +
          token + "\", \"event\": \"hello\", \"distinct_id\": \"me\"}&#39;</pre>";
  body += "<h2>Look at it</h2><ul><li><a href=\"" + host +
          "/app\">The console</a></li><li><a href=\"" + host +
          "/healthz\">/healthz</a>: whether it works, for programs</li></ul>";
  return page(200, "Hogflare", body);
}

}  // namespace hogflare::console
