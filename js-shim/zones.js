// Time zones with their history, from the runtime's own tables.

/** What `offsetAt` says of a name that no zone has. */
export const NO_ZONE = -0x80000000;

/** Formatters by zone: making one costs as much as a hundred answers. @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();
/** A project has one zone and its visitors those of the earth; the rest is made again when it is wanted. */
const FORMATS_MAX = 64;

/** @param {string} name @returns {Intl.DateTimeFormat} throws a RangeError where there is no such zone */
function formatOf(name) {
  const known = formats.get(name);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
  if (formats.size >= FORMATS_MAX) formats.clear();
  formats.set(name, made);
  return made;
}

/**
 * @param {string} name as the IANA database has it
 * @param {number} utcSeconds since 1970
 * @returns {number} seconds east of UTC at that instant, or NO_ZONE
 */
export function offsetAt(name, utcSeconds) {
  try {
    // "7/1/1985, GMT+02:00"; seconds where local mean time had them, "GMT" alone is none.
    const offset = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(formatOf(name).format(utcSeconds * 1000));
    if (offset === null) return NO_ZONE;
    const [, sign, hours = "0", minutes = "0", seconds = "0"] = offset;
    const east = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    return sign === "-" ? -east : east;
  } catch {
    return NO_ZONE;
  }
}
