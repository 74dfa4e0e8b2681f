// What `import` ships: the library is part of the site's own bundle, and loads what it needs later
// (recorder, surveys, web vitals …) from the same host.
import posthog from "posthog-js";

const script = document.currentScript ?? document.querySelector("script[data-host]");
posthog.init(script.dataset.token, {
  api_host: script.dataset.host,
  defaults: "2026-01-30",
  ...JSON.parse(script.dataset.config ?? "{}"),
});
window.posthog = posthog;
