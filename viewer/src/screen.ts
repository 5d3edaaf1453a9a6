/**
 * Rows of a terminal that lines of a log write on, over each other, too: progress of several lines, tables that are drawn again. Pure.
 *
 * A line of the log begins on the row below the cursor. From there it may go up, over at most REACH rows from the lowest one, and write on
 * any of them. The lines that are known begin anywhere in the log: of the rows above them nothing is known until something is written there.
 *
 * Each row is shown in the place of one line, and rows keep their order: in that of the line that wrote on it last, or, if rows
 * below are older, of the last line for which there is room. The other lines are hidden: all that they wrote was written over.
 */

import { draw, parse, Player, TOKEN } from "./ansi.js";
import { Cells, type Run } from "./cells.js";
import { BOLD, CONCEAL, DIM, INVERSE, ITALIC, PLAIN, STRIKE, type Style, UNDERLINE } from "./sgr.js";
import { first } from "./sorted.js";

/** Rows from the lowest one up that can still be written on: as many as the highest terminals have. */
export const REACH = 200;
/** Columns behind which nothing is written on a row that is drawn here. */
const FAR = 8192;
/** Rows that are kept of one screen. */
const MOST_ROWS = 20_000;

/** What goes to other rows: lines without it stay on theirs. */
const VERTICAL = /\x1b(?:[78DEMcu]|\[[0-9;]*[ABEFHJfsu])/;

export interface Row {
  /** The line that wrote on it last. */
  line: number;
  /** What was written, while it can be written over. */
  cells: Cells | null;
  /** The line that is all there is on it: nobody has drawn it yet. */
  own: { text: string; readonly style: Style } | null;
  /** What it shows, as text with SGR sequences and links; null: to be made of the cells; undefined: what its line shows by itself. */
  text: string | null | undefined;
  /** Whether nothing can be seen on it. */
  blank: boolean;
  /** Whether anything was written on it, or erased. */
  touched: boolean;
}

export class Screen extends Player {
  /** The line behind the last one that is on it. */
  next: number;
  /** From top to bottom. Rows above the first line are unknown (null) until something is written on them. */
  rows: (Row | null)[] = [];
  /** How many rows are above that of the first line. */
  above = 0;
  /** The row on which the cursor is; -1 before the first line. */
  row = -1;
  #column = 0;
  #saved: { row: number; column: number } | null = null;
  /** Rows in front of this one cannot be written on any more. */
  #frozen = 0;
  /** The line that erased whatever is below these rows, if there is anything. */
  #cleared: number | null = null;
  #lines: number[] | null = null;
  #from = 0;

  /** `closed`: the first line is that of the log: there is nothing above it. */
  constructor(public first: number, private readonly closed: boolean) {
    super();
    this.next = first;
  }

  /** The next line, or its beginning: `text`, at whose beginning `style` is in force. */
  feed(text: string, style: Style): void {
    this.row++;
    this.style = style;
    this.#column = 0;
    this.away = false;
    this.#lines = null;
    const line = this.next++;
    if (this.row === this.rows.length) {
      this.rows.push({ line, cells: null, own: { text, style }, text: undefined, blank: false, touched: true });
      this.#freeze();
      if (VERTICAL.test(text)) this.#begin(text);
    } else {
      const isBlank = isEmpty(this.rows[this.row] ?? blank(0));
      const row = this.#at();
      if (isBlank) row.line = line;
      this.play(text);
    }
  }

  /** More of the last line. */
  more(text: string): void {
    this.#lines = null;
    const row = this.rows[this.row];
    if (row?.own && row.line === this.next - 1) {
      row.own.text += text;
      if (VERTICAL.test(row.own.text)) this.#begin(row.own.text);
    } else this.play(text);
  }

  /** A line that goes to other rows, on a row where nothing is. */
  #begin(text: string): void {
    Object.assign(this.rows[this.row]!, { cells: new Cells(), own: null, text: null, blank: true, touched: false });
    this.play(text);
  }

  #freeze(): void {
    for (; this.#frozen < this.rows.length - REACH; this.#frozen++) {
      const row = this.rows[this.#frozen];
      if (!row) continue;
      if (row.cells) drawn(row);
      row.cells = row.own = null;
    }
    const old = this.rows.length - MOST_ROWS;
    if (old > MOST_ROWS / 10) this.#forget(old);
  }

  /** Rows at the top, and their lines, are known no more. */
  #forget(count: number): void {
    const { lines, from } = this.shown();
    this.first = Math.max(this.first, (lines[count - from] ?? this.first));
    this.rows.splice(0, count);
    this.above = Math.max(0, this.above - count);
    this.row -= count;
    this.#frozen = Math.max(0, this.#frozen - count);
    if (this.#saved) this.#saved.row -= count;
    this.#lines = null;
  }

  /** The row of the cursor, to be written on. */
  #at(): Row {
    const row = (this.rows[this.row] ??= blank(-1));
    if (!row.cells) {
      row.cells = new Cells();
      if (row.own) for (const { text, style, href } of parse(row.own.text, row.own.style, FAR).runs) row.cells.put(text, style, href);
      row.own = null;
      row.text = null;
    }
    return row;
  }

  /** The cells of the cursor's row, which are about to change. */
  #touch(): Cells {
    const row = this.#at();
    row.line = this.next - 1;
    row.text = null;
    row.touched = true;
    row.cells!.to(this.#column);
    return row.cells!;
  }

  /** By rows: down as far as there are some, up as far as one can. */
  #by(rows: number): void {
    let to = Math.min(this.rows.length - 1, this.row + rows);
    const missing = -Math.max(to, this.rows.length - REACH);
    if (missing > 0 && !this.closed) {
      this.rows.unshift(...Array.from({ length: missing }, () => null));
      this.above += missing;
      this.row += missing;
      this.#frozen += this.#frozen && missing;
      if (this.#saved) this.#saved.row += missing;
      to += missing;
    }
    this.row = Math.max(to, this.rows.length - REACH, 0);
  }

  write(text: string): number {
    const cells = this.#touch();
    cells.put(text.slice(0, Math.max(0, FAR - cells.column)), this.style, this.href);
    this.#column = cells.column;
    if (/[^ ]/.test(text)) this.rows[this.row]!.blank = false;
    return text.length;
  }

  index(single: string): void {
    this.#by(single === "M" ? -1 : 1);
    if (single === "E") this.#column = 0;
  }

  get column(): number {
    return this.#column;
  }

  move(column: number): void {
    this.#column = Math.max(0, column);
  }

  get saved(): boolean {
    return this.#saved !== null;
  }

  save(): void {
    this.#saved = { row: this.row, column: this.#column };
  }

  restore(): void {
    if (this.#saved) this.#by(this.#saved.row - this.row);
    this.#column = this.#saved?.column ?? 0;
  }

  clear(): void {
    this.control("K", [2]);
    this.#column = 0;
  }

  control(final: string, numbers: readonly number[]): void {
    const count = Math.min(numbers[0] || 1, REACH);
    if ("ABEF".includes(final)) {
      this.#by("AF".includes(final) ? -count : count);
      if ("EF".includes(final)) this.#column = 0;
    } else {
      const writes = "JKXP@".includes(final);
      // An unknown row stays so while the cursor only passes.
      const cells = writes ? this.#touch() : new Cells();
      cells.to(this.#column);
      draw(cells, final, numbers);
      this.#column = cells.column;
      if (!writes) return;
      if ("JK".includes(final) && (numbers[0] === 2 || (!numbers[0] && !this.#column))) this.rows[this.row]!.blank = true;
      if (final !== "J" || numbers[0]) return;
      this.#cleared = this.next - 1;
      for (let below = this.row + 1; below < this.rows.length; below++) {
        if (this.rows[below]?.blank) continue;
        this.rows[below] = blank(this.next - 1);
      }
    }
  }

  /** Go on with a screen that begins where this one ends: what it wrote above its beginning, it wrote on these rows. */
  absorb(other: Screen): void {
    let shift = this.row + 1 - other.above;
    if (shift < 0 && !this.closed) {
      this.rows.unshift(...Array.from({ length: -shift }, () => null));
      this.above -= shift;
      this.row -= shift;
      this.#frozen = 0;
      shift = 0;
    }
    for (const [at, row] of other.rows.entries()) {
      const place = at + shift;
      if (place < 0) continue;
      const old = this.rows[place];
      if (place >= this.rows.length) this.rows.push(row);
      else if (row && (row.own ? row.own.text !== "" : row.touched || !old)) this.rows[place] = row;
    }
    for (let below = other.rows.length + shift; other.#cleared !== null && below < this.rows.length; below++) this.rows[below] = blank(other.#cleared);
    this.#cleared = other.#cleared ?? this.#cleared;
    this.row = other.row + shift;
    this.next = other.next;
    this.#column = other.#column;
    this.style = other.style;
    this.href = other.href;
    this.last = other.last;
    this.away = other.away;
    if (other.#saved) this.#saved = { row: other.#saved.row + shift, column: other.#saved.column };
    this.#lines = null;
    this.#freeze();
  }

  /** All lines got other numbers. */
  renumber(shift: number): void {
    this.first += shift;
    if (this.#cleared !== null) this.#cleared += shift;
    this.next += shift;
    for (const row of this.rows) if (row) row.line += shift;
    this.#lines = null;
  }

  /** The lines in whose place rows are shown, ascending: the first is that of row `from`. */
  shown(): { lines: readonly number[]; from: number } {
    if (!this.#lines) {
      let last = this.rows.length;
      while (last - 1 > this.row && isEmpty(this.rows[last - 1]!)) last--;
      const lines: number[] = [];
      let line = this.next;
      while (last-- > 0) {
        const row = this.rows[last];
        line = Math.min(row ? row.line : 0, line - 1);
        if (line < this.first) break;
        lines.push(line);
      }
      this.#from = last + 1;
      this.#lines = lines.reverse();
    }
    return { lines: this.#lines, from: this.#from };
  }

  /** The first of the shown lines that is not in front of `line`: its place among them. */
  place(line: number): number {
    return first(this.shown().lines, (shown) => shown >= line);
  }

  /** The row that is shown in the place of a line; undefined: the line is hidden. */
  rowOf(line: number): Row | undefined {
    const place = this.place(line);
    const { lines, from } = this.shown();
    return lines[place] === line ? this.rows[from + place]! : undefined;
  }

  /** The line in whose place a row is shown, if it is. */
  lineOf(row: Row): number | undefined {
    const { lines, from } = this.shown();
    for (let at = lines.length - 1; at >= 0; at--) if (this.rows[from + at] === row) return lines[at];
    return undefined;
  }
}

function blank(line: number): Row {
  return { line, cells: new Cells(), own: null, text: null, blank: true, touched: true };
}

function isEmpty(row: Row): boolean {
  return row.own ? !row.own.text.replace(TOKEN, "").trim() : row.blank || drawn(row) === "";
}

const CODES: readonly (readonly [number, number])[] = [[BOLD, 1], [DIM, 2], [ITALIC, 3], [UNDERLINE, 4], [INVERSE, 7], [CONCEAL, 8], [STRIKE, 9]];

/** What a row shows, as text with SGR sequences and links, without blanks at its end; undefined: what its line shows by itself. */
export function drawn(row: Row): string | undefined {
  if (row.text === null) row.text = written(row.cells!.runs());
  return row.text;
}

function written(runs: readonly Run[]): string {
  let text = "";
  let [now, link] = [PLAIN, ""];
  const last = runs.findLastIndex((run) => run.style.bg !== -1 || run.style.flags || /[^ ]/.test(run.text));
  for (const [at, run] of runs.slice(0, last + 1).entries()) {
    if (run.href !== link) text += `\x1b]8;;${(link = run.href)}\x07`;
    if (run.style !== now) text += `\x1b[${[0, ...CODES.flatMap(([flag, code]) => (run.style.flags & flag ? [code] : [])), ...colour(38, run.style.fg), ...colour(48, run.style.bg)].join(";")}m`;
    now = run.style;
    text += at === last && run.style.bg === -1 && !run.style.flags ? run.text.replace(/ +$/, "") : run.text;
  }
  return text;
}

function colour(code: number, value: number): number[] {
  if (value < 0) return [];
  return value < 256 ? [code, 5, value] : [code, 2, (value >> 16) & 255, (value >> 8) & 255, value & 255];
}
