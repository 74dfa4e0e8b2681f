// An exception of a minified script is read in the console as its author wrote it, once posthog-cli's map is there.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import { eventually, startSystem } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { signIn, VIEWER } from "./console.mjs";
import { openBrowser } from "./page.mjs";

const KEY = "phx_symbols_of_the_console";
const PICTURES = join(ROOT, "build/console-pictures");
const SOURCE = `type Cart = { total?: { amount: number } };

function amountOf(cart: Cart): number {
  // Written before carts could be empty.
  return cart.total!.amount;
}

Object.assign(globalThis, {
  pay(cart: Cart) {
    try {
      return amountOf(cart);
    } catch (error) {
      (globalThis as any).posthog.captureException(error);
    }
  },
});
`;
const LINE = SOURCE.split("\n").findIndex((line) => line.includes("cart.total!.amount")) + 1;

/** What "posthog-cli sourcemap inject" puts before a script, so that its frames have the chunk's id. */
const injected = (chunk) =>
  `!function(){try{var e=globalThis,n=(new e.Error).stack;n&&(e._posthogChunkIds=e._posthogChunkIds||{},e._posthogChunkIds[n]=${JSON.stringify(chunk)})}catch(e){}}();`;

async function minified(chunk, sourcefile) {
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, loader: "ts", sourcefile },
    bundle: true,
    minify: true,
    format: "iife",
    write: false,
    outdir: "out",
    sourcemap: "external",
    banner: { js: injected(chunk) },
  });
  const textOf = (end) => outputFiles.find(({ path }) => path.endsWith(end)).text;
  return { script: textOf(".js"), map: textOf(".map") };
}

/** The file posthog-cli makes of both: rust/common/symbol_data. */
function symbolSet({ script, map }) {
  const sized = (text) => {
    const bytes = Buffer.from(text);
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(bytes.length));
    return Buffer.concat([size, bytes]);
  };
  const head = Buffer.alloc(8);
  head.writeUInt32LE(1);
  head.writeUInt32LE(2, 4);
  return Buffer.concat([Buffer.from("posthog_error_tracking"), head, sized(script), sized(map)]);
}

async function upload(system, chunk, data) {
  const content_hash = createHash("sha512").update(data).digest("hex");
  const ask = async (path, body) => {
    const response = await system.post(`/api/projects/1/error_tracking/symbol_sets/${path}`, body, { authorization: `Bearer ${KEY}` });
    assert.equal(response.status, 201, await response.clone().text());
    return response.json();
  };
  const { id_map } = await ask("bulk_start_upload", { symbol_sets: [{ chunk_id: chunk, release_id: null, content_hash }] });
  const {
    presigned_url: { url, fields },
    symbol_set_id,
  } = id_map[chunk];
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob([data]), "file");
  assert.equal((await fetch(url, { method: "POST", body: form })).status, 204);
  await ask("bulk_finish_upload", { content_hashes: { [symbol_set_id]: content_hash } });
}

describe("a stack of minified code", () => {
  let system;
  let browser;
  before(async () => {
    mkdirSync(PICTURES, { recursive: true });
    browser = await openBrowser();
    system = await startSystem({
      vars: { HOGFLARE_VIEWER_TOKEN: VIEWER, POSTHOG_PERSONAL_API_KEY: KEY },
      hasSql: true,
      r2Buckets: ["SYMBOLS"],
    });
  });
  after(async () => {
    await browser?.close();
    await system?.stop();
  });

  /** Lets a page fail with a script of its own, and opens the issue in the console; the text of its first frame. */
  async function firstFrame(chunk, sourcefile, { withMap }) {
    const made = await minified(chunk, sourcefile);
    if (withMap) await upload(system, chunk, symbolSet(made));
    const name = `/${chunk}.js`;
    browser.pages.set(name, { type: "text/javascript", body: made.script });
    const page = await browser.open({ library: "current", apiHost: system.url });
    await page.addScriptTag({ url: browser.site.url + name });
    await page.evaluate(() => /** @type {any} */ (window).pay({}));
    const exception = await eventually(
      async () => (await system.rows()).find((row) => row.event === "$exception" && JSON.stringify(row).includes(chunk)),
      { what: "the exception's row", timeoutMs: 60_000 },
    );
    await page.context().close();
    const console = await signIn(browser, system, `/app/1/errors/${exception.exception_fingerprint}`);
    // A set that is not there is asked for, and answered 404.
    if (!withMap) console.expects(/404/);
    const frame = console.locator("ol.mono li").first();
    await frame.waitFor({ timeout: 60_000 });
    // Answers about today are kept for a minute, and both errors are one issue's.
    await console.keyboard.press("Shift+R");
    const shown = withMap ? "cart" : chunk;
    await eventually(async () => (await frame.innerText()).includes(shown), { what: "the newest of the issue's errors" });
    await eventually(async () => (await console.getByText("Looking for source maps").count()) === 0, { what: "the maps" });
    return { console, text: await frame.innerText() };
  }

  it("is shown with the source's file, line and text once its map is there", async () => {
    const { console, text } = await firstFrame("0197e6db-9a73-7b91-9e80-4e1b7158db5c", "shop/cart.ts", { withMap: true });
    assert.match(text, new RegExp(`shop/cart\\.ts:${LINE}:`));
    assert.match(text, /^amountOf /, "what the author called it, not the minifier");
    assert.match(text, /▸ {3}return cart\.total!\.amount;/);
    assert.match(text, /Written before carts could be empty/);
    assert.equal(await console.getByText(/no map for/).count(), 0);
    await console.screenshot({ path: join(PICTURES, "resolved-stack.png") });
    await console.context().close();
  });

  it("stays as it came, and says so, where there is none", async () => {
    const { console, text } = await firstFrame("0197e6db-9a73-7b91-9e80-4e1b7158db5d", "shop/other.ts", { withMap: false });
    assert.match(text, /0197e6db-9a73-7b91-9e80-4e1b7158db5d\.js:2:\d+/);
    assert.equal(await console.getByText(/no map for 0197e6db-9a73-7b91-9e80-4e1b7158db5d\.js/).count(), 1);
    await console.context().close();
  });
});
