// Files of PostHog's batch exports (posthog.com/docs/cdp/batch-exports/s3, events model): Parquet, or a JSON object
// a line, plain or compressed.
import { createReadStream, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createBrotliDecompress, createGunzip } from "node:zlib";
import { EXIT, Stop } from "../output.mjs";
import { parseExactly } from "./json.mjs";

const KINDS = [
  { kind: "parquet", pattern: /\.parquet(\.(zst|lz4|sz|snappy|gz|br))?$/ },
  { kind: "lines", pattern: /\.(jsonl|ndjson|jsonlines)(\.(gz|br))?$/ },
];
const kindOf = (path) => KINDS.find(({ pattern }) => pattern.test(path))?.kind;

/** The export's files below folders, or as named, in the order of their names, which are those of their times. */
export function exportFiles(places) {
  const found = places.flatMap((place) => {
    const stat = statSync(place, { throwIfNoEntry: false });
    if (stat === undefined) throw new Stop(EXIT.usage, `there is no ${place}`, "");
    if (!stat.isDirectory()) return [place];
    return readdirSync(place, { recursive: true, encoding: "utf8" })
      .map((name) => join(place, name))
      .filter((path) => kindOf(path) !== undefined);
  });
  for (const path of found)
    if (kindOf(path) === undefined) throw new Stop(EXIT.usage, `${path} is no file of a batch export`, "those end in .parquet or .jsonl");
  if (found.length === 0) throw new Stop(EXIT.usage, `no file below ${places.join(", ")} ends in .parquet or .jsonl`, "");
  return found.sort();
}

async function* lines(path) {
  const file = createReadStream(path);
  const stream = path.endsWith(".gz") ? file.pipe(createGunzip()) : path.endsWith(".br") ? file.pipe(createBrotliDecompress()) : file;
  // An error of the file does not reach the stream behind it.
  file.once("error", (error) => stream.destroy(error));
  const failed = new Promise((_, fail) => stream.once("error", fail));
  failed.catch(() => {});
  let number = 0;
  const reader = createInterface({ input: stream, crlfDelay: Infinity })[Symbol.asyncIterator]();
  for (;;) {
    const { value: line, done } = await Promise.race([reader.next(), failed]);
    if (done) return;
    number++;
    if (line.trim() === "") continue;
    try {
      yield parseExactly(line);
    } catch {
      throw new Stop(EXIT.failed, `line ${number} of ${path} is no JSON`, "was the file written to its end?");
    }
  }
}

async function* parquet(path) {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    yield* await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd });
    rowStart = rowEnd;
  }
}

/** Rows of a file: the export's columns by name. */
export const exportedRows = (path) => (kindOf(path) === "parquet" ? parquet(path) : lines(path));
