// Runs the benchmarks one after the other and joins their figures: scripts/bench.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(fileURLToPath(import.meta.url), "../..");
const out = join(root, "build/bench");
const args = process.argv.slice(2);
const quick = args.filter((each) => each === "--quick");
const parts = args.filter((each) => each !== "--quick");
mkdirSync(out, { recursive: true });

const results = {
  machine: {
    cpu: cpus()[0].model,
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    linux: release(),
    node: process.version,
    loadBefore: loadavg()[0],
  },
};
console.log(
  `${results.machine.cpu}, ${results.machine.cores} cores, Linux ${release()}, Node.js ${process.version}, load ${loadavg()[0].toFixed(1)}\n`,
);

/** A native benchmark prints its table, and with --json one object a line. */
function native(name) {
  const program = join(out, name);
  execFileSync(program, [], { stdio: "inherit" });
  console.log();
  const lines = execFileSync(program, ["--json"], { encoding: "utf8" }).trim().split("\n");
  results[name] = lines.map((line) => JSON.parse(line));
}

function script(name) {
  const file = join(out, "part.json");
  rmSync(file, { force: true });
  execFileSync(process.execPath, [join(root, `bench/${name}.mjs`), "--json", file, ...quick], { stdio: "inherit", cwd: root });
  console.log();
  results[name] = JSON.parse(readFileSync(file, "utf8"));
  rmSync(file);
}

function lake() {
  const file = join(out, "part.json");
  const python = join(root, ".venv/bin/python");
  execFileSync(python, [join(root, "bench/insights_lake.py"), "--json", file, ...quick], { stdio: "inherit", cwd: root });
  console.log();
  results.lake = JSON.parse(readFileSync(file, "utf8"));
  rmSync(file);
}

for (const part of parts) {
  if (part === "lake") {
    lake();
  } else if (part === "native") {
    const names = readdirSync(out).filter((name) => name.endsWith("_bench"));
    for (const name of names.sort()) native(name);
  } else {
    script(part.replaceAll("-", "_"));
  }
}
results.machine.loadAfter = loadavg()[0];
writeFileSync(join(out, "results.json"), JSON.stringify(results, null, 1) + "\n");
console.log("figures: build/bench/results.json");
