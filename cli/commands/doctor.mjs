// doctor: what is wrong, and what to do about it. status: what there is.
import { openContext } from "../context.mjs";
import { diagnose, readAll, repair } from "../diagnosing.mjs";
import { partsOf } from "../names.mjs";
import { number, which } from "../options.mjs";
import { EXIT } from "../output.mjs";
import { tableNumbers } from "../resources.mjs";
import { ask, workerUrl } from "../worker.mjs";

const open = async (options, output) => {
  const context = await openContext(options, output);
  const numbers = await tableNumbers(context).catch(() => ({}));
  return Object.assign(context, { tables: { ...Object.fromEntries(context.streams.map((stream) => [stream, 1])), ...numbers } });
};

async function doctor(options, output) {
  const context = await open(options, output);
  output.say("reading what Cloudflare has");
  const read = await readAll(context);
  for (const each of options.fix ? await repair(context, read) : []) output.say(`repaired: ${each}`);
  const after = options.fix ? await readAll(context) : read;
  const waitSeconds = options.event === false ? undefined : number(options.wait, 180);
  const findings = await diagnose(context, after, { origin: options.origin, waitSeconds, note: output.say });
  for (const { level, check, what, todo } of findings) output.print(`${level}: [${check}] ${what}\n       ${todo}`);
  if (findings.length === 0) output.print("all is well");
  output.result({ ok: findings.length === 0, findings });
  return findings.length === 0 ? EXIT.done : EXIT.findings;
}

async function status(options, output) {
  const context = await open(options, output);
  const read = await readAll(context);
  const url = await workerUrl(context).catch(() => undefined);
  const health = url === undefined ? undefined : await ask(url, "/healthz", { adminToken: process.env.HOGFLARE_ADMIN_TOKEN });
  const tables = context.streams.map((stream) => {
    const parts = partsOf(context.name, stream, context.tables[stream]);
    const figures = read.figures.value?.find((each) => each.stream === stream);
    return {
      stream,
      table: `${context.namespace}.${parts.table}`,
      recordsIn: figures?.recordsIn ?? null,
      written: figures?.recordsWritten ?? null,
      dropped: figures?.dropped ?? null,
      pipeline: read.pipelines.value?.find((each) => each.part.name === parts.pipeline)?.part.status ?? "missing",
    };
  });
  const live = read.deployments.value?.deployments?.[0]?.versions ?? [];
  const result = {
    name: context.name,
    url: url ?? null,
    version: health?.body?.version ?? null,
    status: health?.body?.status ?? "unreachable",
    outbox: health?.body?.outbox ?? null,
    versions: live,
    bucket: context.bucket,
    catalog: read.catalog.value?.status ?? "missing",
    tables,
  };
  output.print(`${result.name} ${result.version ?? "?"} at ${result.url ?? "no address"}: ${result.status}`);
  output.print(`bucket ${result.bucket}, catalog ${result.catalog}; the last day:`);
  for (const each of tables)
    output.print(
      `  ${each.table}: ${each.recordsIn ?? "?"} rows in, ${each.written ?? "?"} written, ${each.dropped ?? "?"} dropped; pipeline ${each.pipeline}`,
    );
  if (result.outbox !== null) output.print(`outbox: ${result.outbox.rows} rows`);
  output.result(result);
}

export function register(program, run) {
  which(program.command("doctor"))
    .description("looks at configuration, bindings, tags, columns, rights, drops, outbox, and sends one event; says what to do")
    .option("--origin <url>", "also ask whether a page of this origin may send")
    .option("--domain <host>", "custom domain, in a zone of the account")
    .option("--wait <seconds>", "how long to wait for the event's row; 0 does not wait", "180")
    .option("--no-event", "send no event")
    .option("--fix", "close what stands open: HTTP of the streams")
    .action(run(doctor));
  which(program.command("status")).description("address, version, tables and rows of the last day").action(run(status));
}
