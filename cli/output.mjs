// What the command says: progress on stderr, results on stdout, secrets nowhere.

/** What the exit status means; docs/DEPLOY.md has the same table. */
export const EXIT = {
  done: 0,
  /** Cloudflare refused or did not answer; running the command again goes on where it stopped. */
  failed: 1,
  usage: 2,
  /** doctor found something that needs work. */
  findings: 3,
  /** A person has to do something first: a token, a plan, a card. Nothing was made. */
  needed: 4,
  /** It would harm something: another's Worker, rows that wait, people. Nothing was changed. */
  refused: 5,
  /** Everything stands, but the row that proves it has not arrived in time. */
  unproved: 6,
};

/** An end that is no bug: what happened and what to do. */
export class Stop extends Error {
  /** @param {number} exit one of EXIT @param {string} message @param {string} [advice] */
  constructor(exit, message, advice = "") {
    super(message);
    Object.assign(this, { exit, advice });
  }
}

const HIDDEN = "•••";
/** What would move a terminal's cursor, or name its window: an error may have the words of whoever answered. */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

export function createOutput({ json = false, stdout = process.stdout, stderr = process.stderr } = {}) {
  const secrets = new Set();
  const clean = (text) => {
    let shown = String(text);
    for (const secret of secrets) shown = shown.replaceAll(secret, HIDDEN);
    return shown;
  };
  return {
    json,
    /** From now on the text is never printed. */
    hide(secret) {
      if (typeof secret === "string" && secret.length >= 8) secrets.add(secret);
      return secret;
    },
    clean,
    /** A line of progress. */
    say: (text) => stderr.write(`${clean(text).replace(CONTROLS, "")}\n`),
    /** A line of the result, for people. */
    print(text) {
      if (!json) stdout.write(`${clean(text)}\n`);
    },
    /** The result, for programs. */
    result(value) {
      if (json) stdout.write(`${clean(JSON.stringify(value, null, 2))}\n`);
    },
  };
}
