/**
 * What a terminal shows of lines that write over each other: the view shows the rows of `Screen`, each in the place of a line, and
 * hides the other lines. Loaded when the cursor goes up somewhere in the log; until then, lines are shown one by one.
 *
 * Lines are read as far as they are in memory, around those that are visible; screens that meet become one. So what is on a row is known
 * wherever the view is, and what is hidden between rows is known without being kept.
 */

import { parse } from "./ansi.js";
import type { Charset } from "./charset.js";
import type { Slice } from "./content.js";
import type { Log } from "./log.js";
import { make, type Row as Shown } from "./rows.js";
import { drawn, type Row, Screen } from "./screen.js";
import { PLAIN } from "./sgr.js";
import type { Folding } from "./source.js";
import { count } from "./state.js";
import { type Line, textOf } from "./store.js";
import type { View } from "./view.js";

/** Lines above a visible one that are read at once, so that rows they share are known. */
const BACK = 1000;
/** Lines that are read for a frame. */
const TURN = 2000;
/** Screens that are kept. */
const MOST = 12;

interface Known {
  screen: Screen;
  /** Where the next line begins in the log; the last one, if that has not ended. */
  at: number;
  /** Bytes of the last line that have been read; null: it has ended, and all have been. */
  taken: number | null;
}

export class Terminal {
  #known: Known[] = [];
  /** Lines that are shown though they were written over, with all that are hidden beside them. */
  #opened: number[] = [];
  #charset: Charset;
  #folds: Folding;
  readonly #slices = new WeakMap<Row, Slice & { readonly length: number }>();
  /** How often a row was shown anew, which its slice tells the view. */
  #version = 0;
  readonly #marks = new WeakMap<Shown, HTMLElement>();
  readonly #folding: Folding;

  constructor(private readonly view: View, private readonly log: Log, private readonly redraw: () => void) {
    this.#charset = log.charset;
    this.#folds = view.whole.folds;
    this.#folding = {
      at: (line) => this.#folds.at(line),
      isFolded: (line) => this.#folds.isFolded(line),
      level: (line) => this.#folds.level(line),
      next: (line) => this.#out(this.#folds.next(line), 1),
      previous: (line) => this.#out(this.#folds.previous(line), -1),
      open: (line) => {
        this.#folds.open(line);
        this.#open(line);
      },
    };
    const { parts } = view;
    const [get, render, renumber, decorate] = [parts.get.bind(parts), view.render.bind(view), view.renumber.bind(view), view.decorate];
    parts.get = (line) => get(line) ?? (this.#isShown ? this.#slice(line) : undefined);
    view.render = () => {
      if (this.#isShown) this.#read();
      render();
    };
    view.renumber = (shift) => {
      for (const known of this.#known) known.screen.renumber(shift);
      this.#opened = this.#opened.map((line) => line + shift);
      renumber(shift);
    };
    view.decorate = (rows) => {
      decorate(rows);
      rows.forEach((row) => this.#mark(row));
    };
    view.surface.addEventListener("click", (event) => this.#clicked(event.target as Element));
    view.refresh();
  }

  /** Whether all lines are shown: those that a filter lets through are shown as they came. */
  get #isShown(): boolean {
    return this.view.source === this.view.whole;
  }

  // What is hidden

  #screen(line: number): Screen | undefined {
    return this.#known.find(({ screen }) => screen.first <= line && line < screen.next)?.screen;
  }

  /** The lines around which nothing is shown: those of the row in front of `line` and of that behind it or in it. */
  #gap(screen: Screen, line: number): [number, number] {
    const { lines } = screen.shown();
    const place = screen.place(line);
    return [lines[place - 1] ?? screen.first - 1, lines[place] ?? screen.next];
  }

  #isOpened([above, below]: readonly [number, number]): boolean {
    return this.view.raw || this.#opened.some((line) => above < line && line < below);
  }

  #isHidden(line: number): boolean {
    const screen = this.#screen(line);
    if (!screen) return false;
    const gap = this.#gap(screen, line);
    return gap[1] !== line && !this.#isOpened(gap);
  }

  /** The nearest line in this direction that is not hidden; `line` itself, if it is not. */
  #out(line: number, direction: 1 | -1): number {
    for (;;) {
      const screen = this.#screen(line);
      const gap = screen && this.#gap(screen, line);
      if (!gap || gap[1] === line || this.#isOpened(gap)) return line;
      const out = direction > 0 ? gap[1] : gap[0];
      line = direction > 0 ? this.#folds.next(out - 1) : this.#folds.previous(out + 1);
    }
  }

  /** Show a line, if it is hidden. */
  #open(line: number): void {
    if (this.#isHidden(line)) this.#opened.push(line);
  }

  // What is shown

  /** What a row shows that is more, or less, than its line by itself. */
  #slice(line: number): Slice | undefined {
    const screen = this.#screen(line);
    const row = screen?.rowOf(line);
    const known = this.log.store.get(line);
    if (!screen || !row || !known || this.#isOpened(this.#gap(screen, line))) return undefined;
    const own = row.own && row.line !== line ? row.own : null;
    const text = own?.text ?? drawn(row);
    if (text === undefined) return undefined;
    const before = this.#slices.get(row);
    if (before?.text === text && before.bytes === known.bytes && before.length === known.length) return before;
    // The view shows a slice anew that stops elsewhere. Behind the end of the line there is nothing more to be shown.
    const slice = { start: 0, stop: known.length + ++this.#version, text, bytes: known.bytes, style: own?.style ?? PLAIN, length: known.length };
    this.#slices.set(row, slice);
    return slice;
  }

  /** What is shown of these lines; null: they write over no others, or not all of them are here. */
  rows(from: number, to: number): { readonly line: number; readonly text: string }[] | null {
    const { store, charset } = this.log;
    const rows: { line: number; text: string }[] = [];
    let isDrawn = false;
    for (let line = this.#out(from, 1); line <= to; line = this.#out(line + 1, 1)) {
      const known = store.get(line);
      if (!known || !this.#screen(line)) return null;
      const slice = this.#slice(line);
      const { text, style } = slice ?? textOf(known, charset);
      rows.push({ line, text: parse(text, style).runs.map((run) => run.text).join("") });
      isDrawn ||= slice !== undefined;
    }
    return isDrawn || rows.length <= to - from ? rows : null;
  }

  /** Beside a row: what shows the lines that are hidden above it. */
  #mark(row: Shown): void {
    const screen = this.#isShown ? this.#screen(row.line) : undefined;
    const gap = screen && this.#gap(screen, row.line);
    const hidden = gap && gap[1] === row.line && !this.view.raw ? gap[1] - gap[0] - 1 : 0;
    let mark = this.#marks.get(row);
    if (!hidden) return mark?.remove();
    if (!mark) this.#marks.set(row, (mark = make("button", "over said")));
    mark.tabIndex = -1;
    mark.dataset["said"] = "⋮";
    const isOpen = this.#isOpened(gap!);
    mark.setAttribute("aria-expanded", String(isOpen));
    mark.setAttribute("aria-label", (mark.title = `${isOpen ? "Hide" : "Show"} ${count(hidden)} ${hidden === 1 ? "line that was" : "lines that were"} written over`));
    if (!mark.parentElement) row.element.prepend(mark);
  }

  #clicked(target: Element): void {
    const line = target.closest(".over") && this.view.lineOf(target);
    if (line) this.toggle(line);
  }

  /** Show the lines that are hidden above a row, or hide them again. False: there are none. */
  toggle(line: number): boolean {
    const screen = this.#screen(line);
    const gap = screen && this.#gap(screen, line);
    if (!gap || gap[1] !== line || gap[1] - gap[0] < 2 || this.view.raw) return false;
    this.view.pause();
    if (this.#isOpened(gap)) this.#opened = this.#opened.filter((one) => one <= gap[0] || gap[1] <= one);
    else this.#opened.push(gap[0] + 1);
    this.redraw();
    return true;
  }

  // Reading

  /** Before rows are shown: read what has come, and what is around them. */
  #read(): void {
    const { view, log } = this;
    if (view.whole.folds !== this.#folding) {
      this.#folds = view.whole.folds;
      view.whole.folds = this.#folding;
    }
    if (this.#charset !== log.charset) {
      this.#charset = log.charset;
      this.#known = [];
    }
    const top = this.#screen(view.anchor.line)?.rowOf(view.anchor.line);
    let turn = TURN;
    let wanted: readonly number[] = [];
    // What turns out to be hidden makes room for other lines.
    for (let round = 0; round < 4 && turn > 0; round++) {
      wanted = view.coming;
      const before = turn;
      for (const line of wanted) if (!this.#screen(line) && log.store.get(line)) this.#begin(line);
      for (let at = 0; at < this.#known.length; at++) {
        const known = this.#known[at]!;
        while (turn > 0 && this.#feed(known)) turn--;
        const { next } = known.screen;
        const other = this.#known.find(({ screen, at }) => screen.first === next && at >= known.at && screen.next > next);
        if (!other || other === known || known.taken !== null) continue;
        known.screen.absorb(other.screen);
        known.at = other.at;
        known.taken = other.taken;
        this.#known.splice(this.#known.indexOf(other), 1);
        at = -1;
      }
      if (turn === before) break;
    }
    if (turn <= 0) this.redraw(); // the rest with the next frame
    this.#forget(wanted);
    if (view.gone !== null) this.#open(view.gone);
    const { line } = view.anchor;
    if (!view.following && this.#isHidden(line)) {
      // What is at the top stays there, in whose line's place ever it is shown now.
      const now = top && this.#known.map(({ screen }) => screen.lineOf(top)).find((found) => found !== undefined);
      view.anchor = { ...view.anchor, line: now ?? this.#out(line, 1) };
    }
  }

  /** A screen that has this line on it: it begins above it, as far as lines are in memory, or goes on from another. */
  #begin(line: number): void {
    const { store } = this.log;
    let first = line;
    while (line - first < BACK && store.get(first - 1) && !this.#screen(first - 1)) first--;
    if (this.#screen(first - 1)) return; // it will be reached from there
    const known = { screen: new Screen(first, first === 1 && store.numbered), at: store.get(first)!.at, taken: null };
    this.#known.push(known);
    while (known.screen.next <= line && this.#feed(known));
  }

  /** Read the next line, or more of the last one. Returns whether there may be more. */
  #feed(known: Known): boolean {
    const { store } = this.log;
    const { screen } = known;
    const isNew = known.taken === null;
    if (isNew && this.#known.some((other) => other !== known && other.screen.first === screen.next)) return false;
    const line = store.get(screen.next - (isNew ? 0 : 1));
    if (!line) return false;
    if (line.at !== known.at) {
      this.#known = this.#known.filter((other) => other !== known); // lines were counted anew
      return false;
    }
    if (!isNew && !line.finished && line.length === known.taken) return false;
    const { text, stop } = unread(line, known.taken ?? 0, this.#charset);
    if (isNew) screen.feed(text, line.style);
    else screen.more(text);
    known.taken = line.finished ? null : stop;
    if (line.finished) known.at = line.at + line.length + 1;
    return line.finished;
  }

  /** Forget screens that are far from what is wanted. */
  #forget(wanted: readonly number[]): void {
    const distance = ({ screen }: Known) => Math.min(...wanted.map((line) => Math.max(screen.first - line, line - screen.next + 1, 0)));
    while (this.#known.length > MOST) {
      const far = this.#known.reduce((one, other) => (distance(other) > distance(one) ? other : one));
      this.#known.splice(this.#known.indexOf(far), 1);
    }
  }
}

/** The text of a line behind what was taken of it, and where that ends: of one that goes on, no character and no sequence is cut. What is not in memory is left out. */
export function unread({ at, bytes, end, length, finished }: Line, taken: number, charset: Charset): { text: string; stop: number } {
  let text = "";
  if (end && length > bytes.length + end.length && taken < length - end.length) {
    text = charset.decode(bytes.subarray(taken), at + taken, false);
    const start = Math.max(0, end.findIndex((byte) => byte === 27 || byte === 13));
    taken = length - end.length + start;
  }
  const tail = length - (end?.length ?? 0);
  const rest = taken >= tail && end ? end.subarray(taken - tail) : new Uint8Array([...bytes.subarray(taken), ...(end?.subarray(bytes.length - tail) ?? [])]);
  let stop = rest.length;
  if (!finished) {
    for (let back = 1; back < 4 && charset.label === "utf-8"; back++) {
      const byte = rest[rest.length - back] ?? 0;
      if ((byte & 0xc0) === 0x80) continue;
      if (byte >= 0xc0 && back < (byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4)) stop = rest.length - back;
      break;
    }
    stop = charset.border(rest, at + taken, stop);
  }
  return { text: text + charset.decode(rest.subarray(0, stop), at + taken, finished), stop: taken + stop };
}
