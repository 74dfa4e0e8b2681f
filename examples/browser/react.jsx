// React: the provider starts the library, hooks read flags and capture, the boundary reports what breaks.
import posthog from "posthog-js";
import { PostHogErrorBoundary, PostHogProvider, useFeatureFlagVariantKey, usePostHog } from "@posthog/react";
import { useState } from "react";
import { createRoot } from "react-dom/client";

const place = document.getElementById("app");

function Broken() {
  throw new Error("a component's mistake");
}

function Shop() {
  const client = usePostHog();
  const layout = useFeatureFlagVariantKey("layout");
  const [isBroken, setBroken] = useState(false);
  return (
    <main>
      <h1>Shop</h1>
      <p id="layout">{String(layout)}</p>
      <button id="buy" onClick={() => client.capture("bought", { price: 12 })}>Buy</button>
      <button id="break" onClick={() => setBroken(true)}>Break</button>
      {isBroken ? <Broken /> : null}
    </main>
  );
}

createRoot(place).render(
  <PostHogProvider
    apiKey={place.dataset.token}
    options={{ api_host: place.dataset.host, defaults: "2026-01-30", ...JSON.parse(place.dataset.config ?? "{}") }}
  >
    <PostHogErrorBoundary fallback={<p id="sorry">Sorry</p>}>
      <Shop />
    </PostHogErrorBoundary>
  </PostHogProvider>,
);
window.posthog = posthog;
