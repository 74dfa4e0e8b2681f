// Cloudflare's edge: runs the version that is deployed in local workerd, with its bindings.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { liveWorker } from "./workers.mjs";

/** A Worker whose entrypoint NAME hands what it is sent to the stand-in's stream. */
function streamsWorker(bindings, url) {
  const classes = bindings.map(
    ({ name, stream, pipeline }) => `
export class ${name} extends WorkerEntrypoint {
  async send(rows) {
    const answer = await fetch(${JSON.stringify(`${url}/bound/${stream ?? pipeline}`)}, { method: "POST", body: JSON.stringify(rows) });
    if (!answer.ok) throw new Error("the stream answered " + answer.status);
  }
}`,
  );
  return {
    name: "streams",
    modules: true,
    script: `import { WorkerEntrypoint } from "cloudflare:workers";\nexport default {};\n${classes.join("\n")}`,
    compatibilityDate: "2026-09-15",
  };
}

function writeModules(folder, version) {
  mkdirSync(folder, { recursive: true });
  const types = { "application/javascript+module": "ESModule", "application/wasm": "CompiledWasm" };
  const modules = [];
  for (const { name, type, bytes } of version.modules) {
    if (types[type] === undefined) continue;
    const path = join(folder, basename(name));
    writeFileSync(path, bytes);
    modules.push({ type: types[type], path });
  }
  return modules.sort((left) => (basename(left.path) === version.metadata.main_module ? -1 : 1));
}

function writeAssets(folder, version, files) {
  mkdirSync(folder, { recursive: true });
  for (const [path, hash] of version.assets) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), files.get(hash).bytes);
  }
  const { _headers: headers } = version.metadata.assets?.config ?? {};
  if (headers) writeFileSync(join(folder, "_headers"), headers);
}

export function createEdge(cloud) {
  const folder = mkdtempSync(join(tmpdir(), "fake-cloudflare-"));
  const running = new Map();

  function options(name, { script, version }) {
    const root = join(folder, version.id);
    const of = (type) => version.bindings.filter((each) => each.type === type);
    const assets = of("assets")[0];
    if (assets) writeAssets(join(root, "assets"), version, cloud.state.assetFiles);
    const worker = {
      name,
      modules: writeModules(join(root, "code"), version),
      modulesRoot: join(root, "code"),
      compatibilityDate: version.metadata.compatibility_date,
      bindings: {
        ...Object.fromEntries(of("plain_text").map((each) => [each.name, each.text])),
        ...Object.fromEntries(of("json").map((each) => [each.name, each.json])),
        ...Object.fromEntries(version.secrets),
      },
      kvNamespaces: Object.fromEntries(of("kv_namespace").map((each) => [each.name, each.namespace_id])),
      ratelimits: Object.fromEntries(of("ratelimit").map((each) => [each.name, { namespace_id: each.namespace_id, simple: each.simple }])),
      serviceBindings: Object.fromEntries(of("pipelines").map((each) => [each.name, { name: "streams", entrypoint: each.name }])),
      durableObjects: Object.fromEntries(
        of("durable_object_namespace").map((each) => [
          each.name,
          {
            className: each.class_name,
            useSQLite: script.namespaces.find((one) => one.class === each.class_name)?.use_sqlite ?? true,
          },
        ]),
      ),
      ...(assets
        ? {
            assets: {
              directory: join(root, "assets"),
              binding: assets.name,
              routerConfig: { has_user_worker: true },
              assetConfig: { html_handling: "none" },
            },
          }
        : {}),
    };
    return convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      resourcePersistencePath: join(folder, name),
      cf: false,
      log: new Log(LogLevel.ERROR),
      workers: [worker, streamsWorker(of("pipelines"), cloud.url)],
    });
  }

  async function start(name) {
    const live = liveWorker(cloud.state, name);
    if (live === undefined) return undefined;
    const key = `${live.version.id}:${[...live.version.secrets].join()}`;
    const known = running.get(name);
    if (known?.key === key) return known.ready;
    const ready = (async () => {
      await known?.ready.then(
        (old) => old.worker.dispose(),
        () => {},
      );
      const worker = new Miniflare(options(name, live));
      const url = (await worker.ready).href.replace(/\/$/, "");
      const entry = { worker, url, live };
      for (const binding of live.version.bindings.filter((each) => each.type === "kv_namespace")) {
        const values = cloud.state.kv.find((each) => each.id === binding.namespace_id)?.values ?? new Map();
        const namespace = await worker.getKVNamespace(binding.name, name);
        for (const [path, value] of values) await namespace.put(path, value);
      }
      return entry;
    })();
    running.set(name, { key, ready });
    return ready;
  }

  return {
    /** The answer of the Worker NAME to a request. */
    async fetch(name, path, { method, headers, body }) {
      const entry = await start(name);
      if (entry === undefined) return new Response("There is nothing here yet", { status: 404 });
      const { host, connection, "content-length": _, ...rest } = headers;
      return fetch(entry.url + path, { method, headers: rest, body: body.length > 0 ? body : undefined, redirect: "manual" });
    },
    async putKv(id, key, value) {
      for (const { ready } of running.values()) {
        const { worker, live } = await ready;
        const binding = live.version.bindings.find((each) => each.namespace_id === id);
        if (binding !== undefined) await (await worker.getKVNamespace(binding.name, live.script.name)).put(key, value);
      }
    },
    async stop() {
      for (const { ready } of running.values())
        await ready.then(
          (entry) => entry.worker.dispose(),
          () => {},
        );
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
