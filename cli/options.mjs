// Options that several commands share.

/** What deployment is meant. */
export const which = (command) =>
  command
    .option("--name <name>", "name of the Worker; the other names begin with it (default: what wrangler.jsonc says, else hogflare)")
    .option("--account <id>", "account (default: CLOUDFLARE_ACCOUNT_ID, else the only one)")
    .option("--folder <path>", "where wrangler.jsonc stands (default: here)")
    .option("--json", "the result as JSON on stdout");

/** Where its rows go. */
export const where = (command) =>
  which(command)
    .option("--bucket <name>", "R2 bucket of the tables (default: the name)")
    .option("--recordings <name>", "R2 bucket for session recordings and source maps (default: none, recordings are rows)")
    .option(
      "--rate-limit <requests>",
      "requests of one address in 10 s, at one of Cloudflare's locations, before it is answered 429; 0: no limit (default: 10000)",
    )
    .option("--namespace <name>", "namespace of the tables (default: default)")
    .option("--streams <list>", "which of the streams, with commas (default: all)")
    .option("--domain <host>", "custom domain, in a zone of the account");

/** A whole number of an option. */
export const number = (text, fallback) => {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`"${text}" is no whole number`);
  return value;
};
