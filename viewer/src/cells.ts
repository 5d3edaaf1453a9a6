/** Text as it is drawn: appended to what is there, or as cells that a cursor moves over, as a terminal's row is. Pure. */

import { PLAIN, type Style } from "./sgr.js";

export interface Run {
  text: string;
  readonly style: Style;
  readonly href: string;
}

/** Columns of a terminal, as far as a cursor moves by itself and as characters are shifted to the right. */
export const WIDE = 500;
const TAB = 8;

/** What takes two columns (UAX 11: W and F), as terminals have it. */
const DOUBLE =
  /^(?:[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|(?![\u{1f1e6}-\u{1f1ff}])\p{Emoji_Presentation})/u;
/** What takes none, and belongs to the character before it. */
const NONE = /^(?:(?!\xad)[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff])/u;

/** Text that is only ever appended to, at most `room` characters of it. */
export class Runs {
  readonly #list: Run[] = [];

  constructor(private room = Infinity) {}

  /** Returns how many characters of `text` there was room for. */
  put(text: string, style: Style, href: string): number {
    if (text.length > this.room) text = text.slice(0, this.room - (/[\ud800-\udbff]/.test(text[this.room - 1] ?? "") ? 1 : 0));
    this.room -= text.length;
    const last = this.#list.at(-1);
    if (last && last.style === style && last.href === href) last.text += text;
    else if (text) this.#list.push({ text, style, href });
    return text.length;
  }

  runs(): Run[] {
    return this.#list;
  }
}

interface Cell extends Run {
  /** Columns that it takes; 0: it is the rest of the one before it. */
  readonly width: number;
}

/** Text that may be written over: a cell for each column, with what combines with it. No cell: a blank. */
export class Cells {
  #cells: (Cell | undefined)[] = [];
  #cursor = 0;
  #saved = 0;
  /** Columns on the left of this one are blank. */
  #left = 0;

  put(text: string, style: Style, href: string): number {
    for (const character of text) {
      const code = character.codePointAt(0)!;
      if (code >= 0x300 && NONE.test(character) && this.#cursor > 0) {
        const head = this.#head(this.#cursor - 1);
        (this.#cells[head] ??= { text: " ", style, href, width: 1 }).text += character;
      } else if (code === 9) this.#tab(style, href);
      else this.#write({ text: character, style, href, width: code >= 0x1100 && DOUBLE.test(character) ? 2 : 1 });
    }
    return text.length;
  }

  #write(cell: Cell): void {
    const [from, to] = [this.#cursor, this.#cursor + cell.width];
    this.#dissolve(from);
    this.#dissolve(to);
    this.#cells[from] = cell;
    for (let at = from + 1; at < to; at++) this.#cells[at] = { ...cell, text: "", width: 0 };
    this.#left = Math.min(this.#left, from);
    this.#cursor = to;
  }

  /** Behind the text a tab is a character of it. Over it, it only moves. */
  #tab(style: Style, href: string): void {
    const width = TAB - (this.#cursor % TAB);
    if (this.#cursor >= this.#cells.length) this.#write({ text: "\t", style, href, width });
    else this.#cursor += width;
  }

  /** Where the character begins that has this column. */
  #head(column: number): number {
    while (column > 0 && this.#cells[column]?.width === 0) column--;
    return column;
  }

  /** What is cut at this column, a wide character or a tab, leaves blanks. */
  #dissolve(column: number): void {
    if (this.#cells[column]?.width !== 0) return;
    const head = this.#head(column);
    for (let at = head, end = head + this.#cells[head]!.width; at < end; at++) this.#cells[at] = undefined;
  }

  get column(): number {
    return this.#cursor;
  }

  /** To a column, from 0 on. A terminal stops at its edge. */
  to(column: number): void {
    this.#cursor = Math.max(0, Math.min(column, Math.max(this.#cursor, WIDE)));
  }

  by(columns: number): void {
    this.to(this.#cursor + columns);
  }

  /** By tabs: to the right, or to the left if there are fewer than none. */
  tabs(count: number): void {
    this.to((count > 0 ? Math.floor(this.#cursor / TAB) + count : Math.ceil(this.#cursor / TAB) + count) * TAB);
  }

  save(): void {
    this.#saved = this.#cursor;
  }

  restore(): void {
    this.to(this.#saved);
  }

  /** Erase from the cursor to the end (0), from the beginning to the cursor (1), or all (2). */
  erase(what: number): void {
    if (what === 2) this.#cells = [];
    if (what !== 1) this.#end(Math.min(this.#cells.length, this.#cursor));
    else {
      this.#dissolve(this.#cursor + 1);
      for (let at = this.#left; at <= this.#cursor && at < this.#cells.length; at++) this.#cells[at] = undefined;
      this.#left = this.#cursor + 1;
    }
  }

  /** Let the text end in front of this column. */
  #end(column: number): void {
    this.#dissolve(column);
    this.#cells.length = column;
  }

  /** Erase so many columns (ECH). */
  blank(count: number): void {
    const stop = this.#cursor + Math.min(count, WIDE);
    if (stop >= this.#cells.length) return this.erase(0);
    this.#dissolve(this.#cursor);
    this.#dissolve(stop);
    for (let at = this.#cursor; at < stop; at++) this.#cells[at] = undefined;
  }

  /** Take out columns (DCH), or put in blank ones (ICH) if `count` is negative. What is behind moves, as far as a terminal goes. */
  shift(count: number): void {
    const from = this.#cursor;
    const room = WIDE - from;
    if (room <= 0 || from >= this.#cells.length) return;
    count = Math.max(-room, Math.min(count, room));
    for (const column of [from, from + Math.max(0, count), WIDE + Math.min(0, count), WIDE]) this.#dissolve(column);
    const moved = this.#cells.slice(from, WIDE);
    let tab = 0; // elsewhere it would be of another width: it becomes blanks
    for (const [at, cell] of moved.entries()) {
      if (cell?.text === "\t") tab = at + cell.width;
      if (at < tab) moved[at] = undefined;
    }
    const length = Math.max(from, Math.min(WIDE, this.#cells.length - count));
    this.#left = Math.min(this.#left, from);
    for (let at = from; at < WIDE; at++) this.#cells[at] = moved[at - from + count];
    if (this.#cells.length <= WIDE) this.#cells.length = length;
  }

  runs(): Run[] {
    const runs = new Runs();
    for (let at = 0; at < this.#cells.length; at++) {
      const cell = this.#cells[at];
      if (cell === undefined) runs.put(" ", PLAIN, "");
      else runs.put(cell.text, cell.style, cell.href);
    }
    return runs.runs();
  }
}
