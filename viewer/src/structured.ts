/** Lines of structured logs: JSON and logfmt, as level, time, message and fields. Pure. */

import { type Piece, piece } from "./meaning.js";

/** A field: its key, with the keys of the objects in which it is, and its value as it is shown. */
export interface Field {
  readonly key: string;
  readonly value: string;
}

export interface Structured {
  /** What stands in front of it. */
  readonly before: string;
  /** "error", "warning", "notice", "info", "debug"; "": it has none. */
  readonly level: string;
  /** The level in the line's own words, the time, and the message; "": it has none. */
  readonly name: string;
  readonly time: string;
  readonly message: string;
  readonly fields: readonly Field[];
}

/** Characters of a line (as many as are shown at first), fields, objects in each other, and characters of a value. */
const [MOST, FIELDS, DEEP, LONG] = [4096, 200, 4, 2000];
/** In a line of one row: fields, characters of a value; and of a level or a time, anywhere. */
const [FEW, SHORT, NAME] = [12, 100, 40];

export const LEVEL: readonly string[] = ["level", "lvl", "severity", "log.level", "loglevel", "levelname", "severitytext", "severity_text", "@l", "levelno"];
const TIME = ["time", "ts", "timestamp", "@timestamp", "datetime", "date", "t", "@t", "asctime", "timemillis", "eventtime"];
const MESSAGE = ["msg", "message", "@m", "event", "text", "body", "log", "short_message", "@mt"];

/** Names of levels, and numbers of bunyan, pino and syslog, the gravest first. */
export const NAMES: Readonly<Record<string, readonly string[]>> = {
  error: ["e", "err", "error", "f", "fatal", "c", "crit", "critical", "panic", "dpanic", "alert", "emerg", "emergency", "severe", "50", "60"],
  warning: ["w", "warn", "warning", "40"],
  notice: ["notice"],
  info: ["i", "info", "information", "informational", "30"],
  debug: ["d", "debug", "t", "trace", "v", "verbose", "fine", "finer", "finest", "10", "20"],
};
const NUMBERS: Record<string, string> = { 10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal" };

/** What may stand in front of a record: a time, the name of a service, both. */
const BEFORE = /^[^{="]{0,80}?(?=\{)|^(?:\d{4}-\d\d-\d\d[T ][\d:.,]{8,18}Z?[ \t]+)?(?:[\w.-]{1,40} *\|[ \t]+)?/;

/** What a line says; null: it is not structured. */
export function structured(text: string): Structured | null {
  if (text.length > MOST) return null;
  const before = BEFORE.exec(text)?.[0] ?? "";
  const rest = text.slice(before.length);
  const pairs = rest.trimStart().startsWith("{") ? json(rest) : logfmt(rest);
  if (!pairs) return null;
  const taken = new Set<Field>();
  const take = (names: readonly string[]): string => {
    for (const name of names) {
      const found = pairs.find(({ key, value }) => key.toLowerCase() === name && value !== "");
      if (found) {
        taken.add(found);
        return found.value;
      }
    }
    return "";
  };
  const [name, time, message] = [take(LEVEL), take(TIME), take(MESSAGE)];
  const level = Object.keys(NAMES).find((level) => NAMES[level]!.includes(name.toLowerCase())) ?? "";
  return { before, level, name: NUMBERS[name] ?? name, time: clock(time), message, fields: pairs.filter((one) => !taken.has(one)) };
}

/** How it is shown: in one row, or, if it is open, with a row for each field. `hidden`: keys that are shown only then. */
export function piecesOf({ before, level, name, time, message, fields }: Structured, isOpen: boolean, hidden: ReadonlySet<string>): Piece[] {
  const shown = fields.filter(({ key }) => isOpen || !hidden.has(key));
  const pieces: Piece[] = before ? [piece("", before)] : [];
  if (name) pieces.push(piece(`level ${level}`, `${name.slice(0, NAME).toUpperCase().padEnd(5)} `));
  if (time) pieces.push(piece("when", `${time.slice(0, NAME)} `));
  if (message) pieces.push(piece("", message));
  for (const { key, value } of shown.slice(0, isOpen ? FIELDS : FEW)) pieces.push(...field(key, value, isOpen));
  const more = fields.length - Math.min(shown.length, isOpen ? FIELDS : FEW);
  if (more && !isOpen) pieces.push(piece("where", ` … ${more} more`));
  return pieces;
}

/** A field begins with a newline where it has a row of its own: that alone is one there. */
function field(key: string, value: string, isOpen: boolean): Piece[] {
  const cut = isOpen || value.length <= SHORT ? value : `${value.slice(0, SHORT)}…`;
  const name = piece("key", key);
  return isOpen ? [{ ...name, text: `\n    ${name.text}` }, piece("value", `: ${cut}`)] : [{ ...name, text: `  ${name.text}` }, piece("value", `=${/\s/.test(cut) ? JSON.stringify(cut) : cut}`)];
}

/** The fields of a JSON object; null: it is none, or has nothing that a record of a log has. */
function json(text: string): Field[] | null {
  const fields: Field[] = [];
  try {
    flatten("", JSON.parse(text) as object, 0, fields);
  } catch {
    return null; // it is none, or one of more arrays in each other than can be written
  }
  return fields.some(({ key }) => isKnown(key)) ? fields : null;
}

function flatten(before: string, object: object, depth: number, fields: Field[]): void {
  for (const [key, value] of Object.entries(object)) {
    if (fields.length >= FIELDS) return;
    const name = before + key;
    if (value !== null && typeof value === "object" && !Array.isArray(value) && depth < DEEP && Object.keys(value as object).length) flatten(`${name}.`, value as object, depth + 1, fields);
    else fields.push({ key: name, value: short(typeof value === "string" ? value : JSON.stringify(value)) });
  }
}

const PAIR = /([\w.@/-]{1,100})=(?:"((?:[^"\\]|\\.)*)"|([^\s"=]*))(?=\s|$)/gy;

/** The fields of a line of logfmt: pairs from its beginning to its end, a level or a message among them, and two at least. */
function logfmt(text: string): Field[] | null {
  const fields: Field[] = [];
  const end = text.trimEnd().length;
  for (let at = text.length - text.trimStart().length; at < end; ) {
    PAIR.lastIndex = at;
    const found = PAIR.exec(text);
    if (!found || fields.length >= FIELDS) return null;
    fields.push({ key: found[1]!, value: short(found[3] ?? found[2]!.replace(/\\(["\\nt])/g, (_, one: string) => ({ n: "\n", t: "\t" })[one] ?? one)) });
    at = PAIR.lastIndex;
    while (text[at] === " " || text[at] === "\t") at++;
  }
  return fields.length > 1 && fields.some(({ key }) => LEVEL.includes(key.toLowerCase()) || MESSAGE.includes(key.toLowerCase())) ? fields : null;
}

function isKnown(key: string): boolean {
  return [LEVEL, MESSAGE].some((names) => names.includes(key.toLowerCase()));
}

function short(value: string): string {
  return value.length > LONG ? `${value.slice(0, LONG)}…` : value;
}

/** The time of day, of a date with a time; of a number of seconds or milliseconds, the time in UTC. */
function clock(time: string): string {
  const found = /^\d{4}-\d\d-\d\d[T ](\d\d:\d\d:\d\d(?:[.,]\d{1,3})?)/.exec(time);
  if (found) return found[1]!;
  if (!/^\d{9,19}(?:\.\d+)?$/.test(time)) return time;
  const number = Number(time);
  const milliseconds = number < 1e11 ? number * 1000 : number < 1e14 ? number : number < 1e17 ? number / 1e3 : number / 1e6;
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? time : date.toISOString().slice(11, 23);
}
