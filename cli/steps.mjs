// Runs a list of steps: each looks first and acts only where something is missing.
//
// A step is { name, title, look, act, would }: `look` answers with a sentence when all is as it should be,
// otherwise with undefined; `would` says what `act` asks of Cloudflare. Interrupted anywhere, the same list
// is run again from its beginning.
import { EXIT, Stop } from "./output.mjs";

/**
 * @param {{name: string, title: string, look?: () => Promise<string | undefined>, act: (note: (text: string) => void) => Promise<string | void>, would: string | (() => string)}[]} steps
 * @param {{output: any, dryRun?: boolean, again: string}} settings `again` is the command to run after a failure
 * @returns {Promise<{step: string, outcome: "there" | "made" | "would", detail: string}[]>}
 */
export async function runSteps(steps, { output, dryRun = false, again }) {
  const report = [];
  for (const [index, step] of steps.entries()) {
    const lead = `[${String(index + 1).padStart(2)}/${steps.length}] ${step.title}`;
    const note = (text) => output.say(`${lead}: ${text}`);
    const record = (outcome, detail) => {
      report.push({ step: step.name, outcome, detail: output.clean(detail) });
      note(outcome === "would" ? `would ${detail}` : detail);
    };
    try {
      const there = await step.look?.();
      if (there !== undefined) record("there", there);
      else if (dryRun) record("would", typeof step.would === "string" ? step.would : step.would());
      else record("made", (await step.act(note)) ?? "done");
    } catch (error) {
      if (error instanceof Stop && error.exit !== EXIT.failed) throw error;
      throw new Stop(EXIT.failed, `step "${step.name}": ${error.message}`, error.advice || `run "${again}" again: it goes on from here`);
    }
  }
  return report;
}
