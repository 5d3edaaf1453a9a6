/** Lines that are commands to a CI service: what they mean, and what of them is not shown. Pure. */

import type { Run } from "./cells.js";
import { BEFORE, MASK } from "./mask.js";
import { PLAIN } from "./sgr.js";
import { stampOf } from "./stamp.js";

/** A part of a line as it is shown. `kind`: what it is, which is a class of the style; "": text of the log as it stands there. */
export interface Piece extends Run {
  readonly kind: string;
}

export interface Meaning {
  /** What the line is: "error", "warning", "notice", "debug", "command", "section", "mask"; "": nothing but that it has a time in front, or a mark of a group, which are not shown. */
  readonly level: string;
  readonly pieces: readonly Piece[];
}

const HIDDEN = new RegExp(`${BEFORE}(?:##\\[|::)endgroup(?:\\]|::)|^(?:\x1b_bk;t=\\d{1,15}\x07)*\\^\\^\\^ \\+\\+\\+\\s*$`);
const GROUP = new RegExp(`${BEFORE}(?:##\\[group\\]|::group::)`);
const GITHUB = new RegExp(`${BEFORE}::(error|warning|notice|debug)(?: (.{0,2000}?))?::`, "i");
const RUNNER = new RegExp(`${BEFORE}(?:##\\[(error|warning|notice|debug|command|section)\\]|\\[(command)\\](?=\\S))`, "i");
const AZURE = new RegExp(`${BEFORE}##vso\\[task\\.(logissue|complete|debug)(?: ([^\\]]{0,2000}))?\\]`, "i");
const TASKCLUSTER = new RegExp(`${BEFORE}\\[taskcluster:(error|warn)(?: [\\dTZ:. -]{19,30})?\\] ?`);

const NAMES: Record<string, string> = { error: "Error", warning: "Warning", notice: "Notice", debug: "Debug" };

/** Whether a line is not shown. Its first characters are enough. */
export function isHidden(text: string): boolean {
  return HIDDEN.test(text);
}

/** What a line means; null: what it says. */
export function meaningOf(runs: readonly Run[]): Meaning | null {
  const text = runs.map((run) => run.text).join("");
  const mask = MASK.exec(text);
  const stamp = stampOf(text)?.length ?? 0;
  if (mask) return { level: "mask", pieces: [...cut(runs, stamp, mask[0].length), piece("secret", "***")] };
  let found: RegExpExecArray | null;
  if ((found = GROUP.exec(text))) return { level: "", pieces: cut(runs, found[0].length, Infinity) };
  if ((found = GITHUB.exec(text))) {
    const about = properties(found[2] ?? "", ",", unescaped);
    return annotation(found[1]!.toLowerCase(), found, runs, { file: about["file"], row: about["line"], column: about["col"], title: about["title"] });
  }
  if ((found = RUNNER.exec(text))) return annotation((found[1] ?? found[2])!.toLowerCase(), found, runs, {});
  if ((found = AZURE.exec(text))) {
    const about = properties(found[2] ?? "", ";", (value) => value);
    const result = found[1] === "debug" ? "debug" : found[1] === "logissue" ? (about["type"] ?? "error") : { failed: "error", succeededwithissues: "warning" }[(about["result"] ?? "").toLowerCase()];
    if (!result || !(result in NAMES)) return null;
    return annotation(result, found, runs, { file: about["sourcepath"], row: about["linenumber"], column: about["columnnumber"], title: about["code"] });
  }
  if ((found = TASKCLUSTER.exec(text))) return annotation(found[1] === "warn" ? "warning" : "error", found, runs, {});
  return stamp ? { level: "", pieces: cut(runs, stamp, Infinity) } : null;
}

type About = Partial<Record<"file" | "row" | "column" | "title", string>>;

function annotation(level: string, { 0: head }: RegExpExecArray, runs: readonly Run[], { file, row, column, title }: About): Meaning {
  const before = new RegExp(BEFORE).exec(head)![0];
  const stamp = stampOf(head)?.length ?? 0;
  const place = file ? [file, row, row && column].filter(Boolean).join(":") : "";
  const name = NAMES[level];
  const message = cut(runs, head.length, Infinity).map((one) => ({ ...one, text: unescaped(one.text) }));
  return {
    level,
    pieces: [
      ...cut(runs, stamp, before.length),
      ...(name ? [piece("level", `${name}: `)] : []),
      ...(title ? [piece("title", `${title}: `)] : []),
      ...message,
      ...(place ? [piece("where", ` (${place})`)] : []),
    ],
  };
}

export function piece(kind: string, text: string): Piece {
  return { kind, text: text.replace(CONTROLS, (control) => (control === "\n" ? " ⏎ " : " ")), style: PLAIN, href: "" };
}

const CONTROLS = /[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** `key=value` pairs. */
function properties(text: string, between: string, value: (text: string) => string): Record<string, string> {
  const found: Record<string, string> = Object.create(null);
  for (const one of text.split(between)) {
    const at = one.indexOf("=");
    if (at > 0) found[one.slice(0, at).trim().toLowerCase()] = value(one.slice(at + 1));
  }
  return found;
}

const ESCAPES: Record<string, string> = { "25": "%", "0D": "", "0A": " ⏎ ", "3A": ":", "2C": "," };

/** What `%0A` and the like stand for. */
function unescaped(text: string): string {
  return text.replace(/%(25|0D|0A|3A|2C)/gi, (_, code: string) => ESCAPES[code.toUpperCase()]!);
}

/** The runs from one character to another. */
export function cut(runs: readonly Run[], from: number, to: number): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const run of runs) {
    const [start, stop] = [Math.max(from - at, 0), Math.min(to - at, run.text.length)];
    if (start < stop) pieces.push({ ...run, text: run.text.slice(start, stop), kind: "" });
    at += run.text.length;
  }
  return pieces;
}
