// Rows of the stand-in's streams as tables of a fake pipeline, whose engine then answers Basin SQL.

/** events, persons …: the schema a stream was made from, by the name it was given. */
const kindOf = (name) => /(events|persons|rejects|distinct_ids)(_v\d+)?$/.exec(name)?.[1];

/** @param {string} url of the fake pipeline */
export function throughPipeline(url) {
  return {
    async forward(stream, rows) {
      const kind = kindOf(stream);
      if (kind === undefined) return;
      const answer = await fetch(`${url}/streams/${kind}`, { method: "POST", body: JSON.stringify(rows) });
      if (!answer.ok) throw new Error(`the fake pipeline answered ${answer.status}`);
    },
    async query(sql) {
      const text = sql.replace(/\b\w+\.\w*?(events|persons|rejects|distinct_ids)_v\d+\b/g, "$1");
      const answer = await fetch(`${url}/sql?q=${encodeURIComponent(text)}`);
      const body = await answer.json();
      if (!answer.ok) throw new Error(body.errors?.[0]?.message ?? `status ${answer.status}`);
      return body;
    },
  };
}
