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
const MOVES = /\r|\x08|\x1b(?:[78c]|\[[0-9;]*[@A-KPXZ`abdfsu])/;

const LINK = /^(?:https?:\/\/|mailto:)/i;

export interface Parsed {
  readonly runs: Run[];
  /** The style at the end of what is shown. */
  readonly style: Style;
  /** How much of the text that is, in UTF-16 units. */
  readonly stop: number;
}

/** Follows text with sequences, and says what it does: to one line (`Line`), or to the rows of a screen (`screen.ts`). */
export abstract class Player {
  /** The style and the link in force. */
  style: Style = PLAIN;
  href = "";
  /** What has just been put. */
  last = "";
  /** Whether the cursor is in a place that is not there, such as a terminal's last row, to come back from it: what is put there is not shown. */
  away = false;

  abstract get column(): number;
  /** Whether a place was saved. */
  abstract get saved(): boolean;
  /** Put text at the cursor; returns how many characters of it there was room for. */
  abstract write(text: string): number;
  abstract save(): void;
  abstract restore(): void;
  /** To a column of the cursor's row. */
  abstract move(column: number): void;
  /** Empty the cursor's row, and go to its beginning. */
  abstract clear(): void;
  /** Down a row (D), to the beginning of the next (E), or up (M). */
  abstract index(single: string): void;
  /** Any other control sequence. */
  abstract control(final: string, numbers: readonly number[]): void;

  put(text: string): number {
    if (this.away || !text) return text.length;
    this.last = text;
    return this.write(text);
  }

  /** Returns how much of the text there was room for, in UTF-16 units. */
  play(text: string): number {
    let at = 0;
    TOKEN.lastIndex = 0;
    for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
      const behind = TOKEN.lastIndex;
      const count = this.put(text.slice(at, token.index));
      if (count < token.index - at) return at + count;
      const [whole, parameters, between, final, kind, string, single] = token;
      const before = this.last;
      this.last = "";
      if (final === "m" && !between && PARAMETERS.test(parameters!)) this.style = sgr(this.style, parameters!);
      else if (kind === "]" && string!.startsWith("8;")) {
        const target = string!.slice(string!.indexOf(";", 2) + 1);
        this.href = LINK.test(target) ? target : "";
      } else if (single === "c" || (final === "p" && parameters === "" && between === "!")) {
        this.style = PLAIN;
        if (single) this.clear();
      } else if (single === "7" || (final === "s" && !parameters && !between)) this.save();
      else if (single === "8" || (final === "u" && !parameters && !between)) {
        this.away = false;
        this.restore();
      } else if (single === "M" || single === "D" || single === "E") this.index(single);
      else if (!between && final && /^[0-9;]*$/.test(parameters!)) {
        const numbers = parameters!.split(";").map(Number);
        if (this.saved && "Hf".includes(final) && numbers[0]! > 1) this.away = true;
        if (final === "b") {
          const character = /[^\t]?\p{M}*$/u.exec(before.slice(-9))![0];
          this.put(character.repeat(Math.max(0, Math.min(numbers[0] || 1, WIDE - this.column))));
          this.last = "";
        } else if (!this.away) this.control(final, numbers);
      } else if (whole === "\r") this.move(0);
      else if (whole === "\b") this.move(this.column - 1);
      else if (whole[0] !== "\x1b") this.put(picture(whole));
      TOKEN.lastIndex = at = behind;
    }
    return at + this.put(text.slice(at));
  }
}

/** One line. Without cells it is only appended to, and nothing moves. What it puts into other rows of the screen is in cells of its own. */
class Line extends Player {
  saved = false;
  #row = 0;
  readonly #rows = new Map<number, Cells>();
  readonly #runs: Runs;

  constructor(private cells: Cells | null, limit: number, style: Style) {
    super();
    this.style = style;
    this.#runs = new Runs(limit);
    if (cells) this.#rows.set(0, cells);
  }

  /** What is there, from row to row. */
  runs(): Run[] {
    const rows = [...this.#rows].sort(([one], [other]) => one - other).map(([, cells]) => cells.runs());
    if (rows.length < 2) return rows[0] ?? this.#runs.runs();
    return rows.filter((runs) => runs.some(({ text }) => text.trim())).flatMap((runs, at) => (at ? [BETWEEN, ...runs] : runs));
  }

  get column(): number {
    return this.cells?.column ?? WIDE;
  }

  write(text: string): number {
    return (this.cells ?? this.#runs).put(text, this.style, this.href);
  }

  save(): void {
    this.cells?.save();
    this.saved = true;
  }

  restore(): void {
    this.cells?.restore();
  }

  move(column: number): void {
    this.cells?.to(column);
  }

  clear(): void {
    this.cells?.erase(2);
    this.cells?.to(0);
  }

  index(): void {}

  control(final: string, numbers: readonly number[]): void {
    if (!this.cells) return;
    const way = "AFBE".indexOf(final);
    if (way < 0) draw(this.cells, final, numbers);
    else {
      const column = way % 2 ? 0 : this.column;
      this.#row += Math.min(numbers[0] || 1, WIDE) * (way < 2 ? -1 : 1);
      this.cells = this.#rows.get(this.#row) ?? new Cells();
      this.#rows.set(this.#row, this.cells);
      this.move(column);
    }
  }
}

/** What is shown of `text`, a line, where `style` is in force at its beginning; at most `limit` characters, unless a cursor moves. */
export function parse(text: string, style: Style, limit = Infinity): Parsed {
  const { length } = text;
  let end = length;
  while (text[end - 1] === "\r") end--;
  text = text.slice(0, end);
  look(text);
  const line = new Line(MOVES.test(text) ? new Cells() : null, limit, style);
  const stop = line.play(text);
  return { runs: line.runs(), style: line.style, stop: stop === end ? length : stop };
}

/** What is between the texts of two rows that one line has written into. */
const BETWEEN: Run = { text: "  ", style: PLAIN, href: "" };

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
function picture(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 32) return code === 7 ? "" : String.fromCharCode(0x2400 + code);
  return code === 127 ? "\u2421" : `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}
