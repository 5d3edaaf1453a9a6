/**
 * What a terminal would show of one line: text in runs of one style each. Pure.
 *
 * The grammar of escape sequences is that of the server (sgr.py) and of the client (terminal.py), and one table of tests
 * holds all three to it (test/sequences.json). Understood are: SGR; what moves the cursor along the line, erases, inserts and
 * deletes in it; links (OSC 8) to http, https and mailto. Every other sequence is swallowed. A string (OSC, DCS, ...) that does
 * not end in its line is text: no printable character is lost, unless something is written over it.
 */

import { Cells, type Run, Runs, WIDE } from "./cells.js";
import { look, PARAMETERS, PLAIN, sgr, type Style } from "./sgr.js";

export * from "./sgr.js";
export type { Run } from "./cells.js";

// CSI; strings, which end at BEL, ST, CAN and SUB, and in front of the next escape; other functions; a control.
export const TOKEN =
  /\x1b(?:\[([0-?]*)([ -/]*)([@-~]?)|([\]PX^_])([^\x07\x18\x1a\x1b\n]*)(?:[\x07\x18\x1a]|\x1b\\|(?=\x1b))|[ -/]+[0-~]?|([0-OQ-WYZ\\`-~]))?|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** What does more than to append text and to set styles. */
const MOVES = /\r|\x08|\x1b(?:[78c]|\[[0-9;]*[@C-JKPXZ`abdfsu])/;

export const LINK = /^(?:https?:\/\/|mailto:)/i;

export interface Parsed {
  readonly runs: Run[];
  /** The style at the end of what is shown. */
  readonly style: Style;
  /** How much of the text that is, in UTF-16 units. */
  readonly stop: number;
}

/** What is shown of `text`, a line, where `style` is in force at its beginning; at most `limit` characters, unless a cursor moves. */
export function parse(text: string, style: Style, limit = Infinity): Parsed {
  const { length } = text;
  let end = length;
  while (text[end - 1] === "\r") end--;
  text = text.slice(0, end);
  look(text);
  const cells = MOVES.test(text) ? new Cells() : null;
  const paper = cells ?? new Runs(limit);
  let href = "";
  let at = 0;
  /** The character that has just been put. */
  let last = "";
  /** Whether the cursor has left this line, to come back. */
  let away = false;
  let saved = false;
  /** Whether there was room. */
  const put = (piece: string): boolean => {
    if (away || !piece) return true;
    last = /[^\t]?\p{M}*$/u.exec(piece.slice(-9))![0];
    const count = paper.put(piece, style, href);
    at += count;
    return count === piece.length;
  };
  TOKEN.lastIndex = 0;
  for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
    const behind = TOKEN.lastIndex;
    if (!put(text.slice(at, token.index))) return { runs: paper.runs(), style, stop: at };
    at = behind;
    const [whole, parameters, between, final, kind, string, single] = token;
    const before = last;
    last = "";
    if (final === "m" && !between && PARAMETERS.test(parameters!)) style = sgr(style, parameters!);
    else if (kind === "]" && string!.startsWith("8;")) {
      const target = string!.slice(string!.indexOf(";", 2) + 1);
      href = LINK.test(target) ? target : "";
    } else if (single === "c" || (final === "p" && parameters === "" && between === "!")) {
      style = PLAIN;
      if (single) {
        cells?.erase(2);
        cells?.to(0);
      }
    } else if (single === "7" || (final === "s" && !parameters && !between)) {
      cells?.save();
      saved = true;
    } else if (single === "8" || (final === "u" && !parameters && !between)) {
      cells?.restore();
      away = false;
    } else if (cells && !between && final && /^[0-9;]*$/.test(parameters!)) {
      const numbers = parameters!.split(";").map(Number);
      if (saved && "Hf".includes(final) && numbers[0]! > 1) away = true;
      if (final === "b") {
        put(before.repeat(Math.max(0, Math.min(numbers[0] || 1, WIDE - cells.column))));
        last = "";
      }
      if (!away) draw(cells, final, numbers);
    } else if (whole === "\r") cells?.to(0);
    else if (whole === "\b") cells?.by(-1);
    else if (whole[0] !== "\x1b") put(picture(whole));
    at = behind;
  }
  const all = put(text.slice(at));
  return { runs: paper.runs(), style, stop: all ? length : at };
}

/** A control sequence that is about the cursor's line; those about others move along this one at most. */
export function draw(cells: Cells, final: string, numbers: readonly number[]): void {
  const what = numbers[0]!;
  const count = what || 1;
  if (final === "C" || final === "a") cells.by(count);
  else if (final === "D") cells.by(-count);
  else if (final === "E" || final === "F") cells.to(0);
  else if (final === "G" || final === "`") cells.to(count - 1);
  else if (final === "H" || final === "f") cells.to((numbers[1] || 1) - 1);
  else if (final === "I") cells.tabs(count);
  else if (final === "Z") cells.tabs(-count);
  else if ((final === "J" || final === "K") && what < 3) cells.erase(what);
  else if (final === "X") cells.blank(count);
  else if (final === "P") cells.shift(count);
  else if (final === "@") cells.shift(-count);
}

/** A control character as something to look at: it must neither vanish nor turn the line around. */
export function picture(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 32) return code === 7 ? "" : String.fromCharCode(0x2400 + code);
  return code === 127 ? "\u2421" : `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}
