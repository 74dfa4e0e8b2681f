// JSON whose numbers stay as they were written: 12345678901234567890 and 1.0 would be others after JSON.parse.
const { rawJSON } = /** @type {any} */ (JSON);

/** @param {string} text */
export function parseExactly(text) {
  return JSON.parse(
    text,
    /** @type {any} */ ((_key, value, { source }) => (typeof value === "number" && String(value) !== source ? rawJSON(source) : value)),
  );
}
