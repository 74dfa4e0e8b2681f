// Commands of the core, run by the module that is deployed: core.wasm under Node.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { offsetAt } from "../../js-shim/zones.js";

const MODULE = join(import.meta.dirname, "../../build/wasm/core.wasm");
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * What a failed assertion says, as in the Worker's log (js-shim/core.js).
 * @param {ArrayBuffer} memory
 */
function panicText(memory, condition, conditionSize, file, fileSize, line) {
  const text = (at, size) => decoder.decode(new Uint8Array(memory, at, size));
  return `assertion failed: ${text(condition, conditionSize)} (${text(file, fileSize)}:${line})`;
}

/** The module's exports, in an instance whose host knows of time zones and nothing else. @returns {any} */
export function instantiate() {
  if (!existsSync(MODULE)) {
    throw new Error("build/wasm/core.wasm is missing; run scripts/build wasm first");
  }
  const module = new WebAssembly.Module(readFileSync(MODULE));
  const refuse = () => {
    throw new Error("a command-line tool has no such host to ask");
  };
  const host = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, refuse]));
  host.zone_offset = (name, size, utcSeconds) => offsetAt(decoder.decode(new Uint8Array(wasm.memory.buffer, name, size)), utcSeconds);
  host.panic = (...place) => {
    throw new Error(panicText(wasm.memory.buffer, ...place));
  };
  const wasm = /** @type {any} */ (new WebAssembly.Instance(module, { host }).exports);
  wasm._initialize();
  return wasm;
}

/**
 * Loads the module and returns a function that runs one command.
 * @param {(json: string) => string} [rewrite] last change to the arguments' text, for what a
 *   JavaScript number cannot say (1.0)
 * @returns {(command: string, args: object) => any}
 */
export function loadCoreTool(rewrite = (json) => json) {
  const wasm = instantiate();
  const write = (text) => {
    const bytes = encoder.encode(text);
    const at = wasm.hf_input(bytes.length);
    new Uint8Array(wasm.memory.buffer, at, bytes.length).set(bytes);
    return { at, size: bytes.length };
  };
  write("{}");
  wasm.hf_configure(0);
  return (command, args) => {
    const { at, size } = write(`${command}\n${rewrite(JSON.stringify(args))}`);
    // Called before the memory is looked at, which it may grow.
    const answerAt = wasm.hf_tool(at, size);
    const answer = new Uint32Array(wasm.memory.buffer, answerAt, 2);
    const [address, length] = answer;
    return JSON.parse(decoder.decode(new Uint8Array(wasm.memory.buffer, address, length)));
  };
}

/** POSTHOG_GROUP_TYPE_0..4 of the environment, for documents without a group_type_mapping. */
export function groupTypes() {
  return [0, 1, 2, 3, 4].map((index) => process.env[`POSTHOG_GROUP_TYPE_${index}`] ?? "");
}
