// The token with which the Worker asks the tables: questions, lists and the console need it.
import { randomBytes } from "node:crypto";
import { askSecret } from "./context.mjs";
import { links, PERMISSIONS } from "./names.mjs";
import { mintToken } from "./resources.mjs";
import { requireOurs } from "./worker.mjs";

const SECRET = "HOGFLARE_SQL_TOKEN";

/** Whether the Worker, or the environment of this run, has it. */
async function hasReader({ api, name }) {
  if (process.env[SECRET]) return true;
  if ((await requireOurs(api, name)) === "absent") return false;
  return ((await api.find(`workers/scripts/${name}/secrets`)) ?? []).some((each) => each.name === SECRET);
}

/** What a run minted that was killed before the Worker had it: its value is lost. */
async function dropUnused({ api, state }) {
  const names = state.values.readerTokens;
  if (names.length === 0) return;
  for (const each of (await api.list("tokens")).filter((one) => names.includes(one.name))) await api.drop(`tokens/${each.id}`);
  state.save({ readerTokens: [] });
}

async function mint(context) {
  const { api, account, name, state } = context;
  await dropUnused(context);
  // Written down first, as the sinks' token is.
  const title = `hogflare ${name} questions ${randomBytes(4).toString("hex")}`;
  state.save({ readerTokens: [title] });
  return (await mintToken(api, account, title, [PERMISSIONS.sqlRead, PERMISSIONS.catalogRead, PERMISSIONS.storageRead])).value;
}

/** Before the Worker is uploaded: without a token everything but questions works, so nothing stops here. */
export function readerStep(context) {
  const { account, options, output } = context;
  return {
    name: "reader-token",
    title: "token for questions",
    would: "mint one with R2 SQL Read, R2 Data Catalog Read and R2 Storage Read, or ask for it: POST tokens",
    look: async () => ((await hasReader(context)) ? "there" : undefined),
    act: async () => {
      try {
        context.readerToken = output.hide(await mint(context));
        return undefined;
      } catch (error) {
        if (!error.forbidden) throw error;
        context.state.save({ readerTokens: [] });
      }
      output.say(`The token may not make tokens. Questions and the console need one ("Admin Read only"): ${links(account).sink}`);
      const asked = await askSecret(options, "That token (empty: later)");
      if (asked) context.readerToken = output.hide(asked);
      return asked ? undefined : `later: ${SECRET}=… hogflare deploy`;
    },
  };
}
