/**
 * The window on the log: which lines it shows, and how it moves over them.
 *
 * Rows exist only for what is visible. The anchor (see `scroller`) says where the window is, and nothing but the
 * user moves it, unless the window follows the end.
 */

import type { Log } from "./log.js";
import type { GapMap } from "./gaps.js";
import type { Lines } from "./fragment.js";
import type { Folds } from "./folds.js";
import type { Found } from "./api.js";
import { moving } from "./moving.js";
import { Parts } from "./parts.js";
import type { Revealing } from "./revealing.js";
import { duration, make, type Meanings, Row, type Time } from "./rows.js";
import * as scroller from "./scroller.js";
import { type Caret, Selecting } from "./selecting.js";

/** Elements that the text of a row may have, if all rows have as many: one for so many columns, and not fewer than that. */
const COLUMNS = 4;
const SPANS = 40;
/** Levels of nested groups that are indented. */
const MOST_NESTED = 8;

/** What the view asks of `Folds`. */
export type Folding = Pick<Folds, "at" | "isFolded" | "level" | "next" | "previous" | "open">;

/** Groups, until any are known. */
const UNFOLDED: Folding = { at: () => undefined, isFolded: () => false, level: () => 0, next: (line) => line + 1, previous: (line) => line - 1, open: () => {} };

/** What a line has that may mean more than it says. */
const SUSPECT = /::|##|\[task|[{=]/;

export interface Options {
  wrap: boolean;
  dark: boolean;
  showTime: boolean;
  /** What is shown beside a line, if `showTime`. */
  time(line: number): Time;
}

export class View {
  anchor: scroller.Anchor = { line: 1, offset: 0 };
  following = true;
  /** Lines that are marked, as the address says. */
  marked: Lines | null = null;
  terminal: import("./terminal.js").Terminal | null = null; // once lines write over each other
  /** What is folded away. */
  folds: Folding = UNFOLDED;
  readonly parts: Parts;
  /** Shows hits; null until somebody searches. */
  hits: Revealing | null = null;
  /** What to go to as soon as the server has counted lines. */
  later: Found | null = null;
  /** The line that was gone to, and not left since. */
  gone: number | null = null;
  /** The last line that had been seen when the view was paused. */
  seen = 0;
  /** Called with each row that is shown anew, and when all are shown. */
  decorate: (rows: readonly Row[]) => void = () => {};
  /** What lines mean; null until it is known. */
  meanings: Meanings | null = null;
  /** Whether all lines are shown as they are in the log. */
  raw = false;
  /** The gaps that are marked; null: none is known. */
  gaps: GapMap | null = null;

  readonly #rows = make("div", "rows");
  readonly #ruler = make("div", "ruler rows");
  readonly #gauge = new Row();
  readonly #cell = make("span", "text", "0".repeat(100));
  #shown = new Map<number, Row>();
  #spare: Row[] = [];
  #heights = new Map<number, { length: number; height: number }>();
  #row = 20;
  #columns = 80;
  #window = 0;
  /** The line that is in the middle until all around it are known, and with them their heights. */
  #target: number | null = null;
  readonly #selecting: Selecting;
  #shape = "";

  constructor(
    readonly surface: HTMLElement,
    private readonly log: Log,
    private readonly options: Options,
    private readonly redraw: () => void,
  ) {
    this.#ruler.append(this.#gauge.element, this.#cell);
    this.#ruler.setAttribute("aria-hidden", "true");
    this.#gauge.element.removeAttribute("role");
    this.#rows.setAttribute("role", "list");
    this.#rows.setAttribute("aria-label", "Lines");
    surface.append(this.#rows, this.#ruler);
    new ResizeObserver(() => this.#measure()).observe(surface);
    moving(this);
    this.parts = new Parts(log, (line) => {
      this.#heights.delete(line);
      redraw();
    });
    this.#selecting = new Selecting(this, redraw);
  }

  // Moving

  get geometry(): scroller.Geometry {
    const { folds } = this;
    const shown = (line: number, way: "next" | "previous") => {
      do line = folds[way](line); while (this.meanings?.hides(this.log.store.get(line)));
      return line;
    };
    return {
      last: this.log.store.last,
      window: this.#window,
      row: this.#row,
      height: (line) => this.#height(line),
      next: (line) => shown(line, "next"),
      previous: (line) => shown(line, "previous"),
    };
  }

  /** Whole rows in the window. */
  get page(): number {
    return Math.max(1, Math.floor(this.#window / this.#row) - 1);
  }

  /** Move by pixels. Whoever moves up wants to read; whoever reaches the end follows. */
  by(pixels: number): void {
    if (pixels === 0) return;
    const lines = this.geometry;
    const anchor = scroller.move(lines, this.#top, pixels);
    this.#go(anchor, pixels > 0 && scroller.compare(anchor, scroller.end(lines)) >= 0);
  }

  /** Move by pixels, but do not follow: at the end, what comes would be under the mouse. */
  drag(pixels: number): void {
    this.#go(scroller.move(this.geometry, this.#top, pixels), false);
  }

  /** Move by rows: exactly to the next line, or the one before. */
  step(rows: number): void {
    const { line, offset } = this.#top;
    const isEven = !this.options.wrap && this.#silence(line) + this.#silence(this.folds.previous(line)) === 0;
    if (!isEven && Math.abs(rows) === 1) {
      this.by(rows > 0 ? this.#height(line) - offset : offset > 0 ? -offset : -this.#height(this.folds.previous(line)));
    } else this.by(rows * this.#row);
  }

  /** Move to a part of the log, from 0 to 1. */
  toRatio(ratio: number): void {
    if (!this.log.store.numbered && ratio < 1) return this.toLine(1);
    this.#go(scroller.at(this.geometry, ratio), ratio >= 1);
  }

  /** Show a line in the middle. */
  toLine(line: number): void {
    this.toHit({ line });
  }

  /** Show a hit: its line in the middle, and what of the line it is, if that is known. */
  toHit(found: Found): void {
    if (!this.log.store.numbered) {
      this.later = found;
      return this.redraw();
    }
    const line = Math.min(Math.max(1, found.line!), Math.max(1, this.log.store.last));
    this.folds.open(line);
    this.#go(scroller.centred(this.geometry, line), false);
    this.#target = this.gone = line;
    if (this.hits) this.hits.wanted = found.offset === undefined ? null : found;
  }

  follow(): void {
    this.#go(this.anchor, true);
  }

  pause(): void {
    if (this.following) this.#go(scroller.end(this.geometry), false);
  }

  #go(anchor: scroller.Anchor, following: boolean): void {
    if (this.following && !following) this.seen = this.log.store.last;
    this.anchor = anchor;
    this.following = following;
    this.#target = this.later = this.gone = null;
    if (this.hits) this.hits.wanted = null;
    this.redraw();
  }

  /** All lines got other numbers. */
  renumber(shift: number): void {
    this.anchor = { ...this.anchor, line: this.anchor.line + shift };
    this.seen += shift;
    this.#selecting.renumber(shift);
    this.#heights.clear();
    this.parts.renumber(shift);
    this.#shown = new Map([...this.#shown].map(([line, row]) => [line + shift, row]));
  }

  // Sizes

  #measure(): void {
    const style = getComputedStyle(this.surface);
    this.#row = parseFloat(style.lineHeight);
    this.#window = this.surface.clientHeight;
    const room = this.surface.clientWidth - this.#gauge.text.getBoundingClientRect().left + this.#gauge.element.getBoundingClientRect().left;
    this.#columns = Math.floor((room - 16) / (this.#cell.getBoundingClientRect().width / 100)) || 80;
    this.#heights.clear();
    this.redraw();
  }

  /** More rows of a line, and those for the gaps at it, in pixels. */
  #silence(line: number): number {
    const known = this.log.store.get(line);
    const { gaps, meanings } = this;
    return known ? (Number((gaps?.above(known) ?? 0) > 0) + Number((gaps?.below(known) ?? 0) > 0) + (meanings?.more(known) ?? 0)) * this.#row : 0;
  }

  /** Change what gives lines other heights: the text at the top stays where it is. */
  change(make: () => void): void {
    const above = () => ((known) => (known && this.gaps?.above(known) ? this.#row : 0))(this.log.store.get(this.anchor.line));
    const before = above();
    make();
    this.anchor = { ...this.anchor, offset: Math.max(0, this.anchor.offset + above() - before) };
    this.refresh();
  }

  #height(line: number): number {
    if (!this.options.wrap) return this.#row + this.#silence(line);
    const known = this.log.store.get(line);
    if (!known) return this.#row;
    const { length } = this.parts.get(line)?.text ?? known;
    // Fewer bytes than columns are one row, unless there are tabs, or buttons.
    if (this.#silence(line) === 0 && length < this.#columns - 4 - 2 * this.#level(line) && !known.bytes.includes(9) && !this.folds.at(line) && !(this.meanings && SUSPECT.test(String.fromCharCode(...known.bytes.subarray(0, 80))))) return this.#row;
    const cached = this.#heights.get(line);
    if (cached?.length === length) return cached.height;
    this.#fill(this.#gauge, line, 0);
    const height = Math.max(this.#row, this.#gauge.element.getBoundingClientRect().height);
    if (this.#heights.size > 2000) this.#heights.clear();
    this.#heights.set(line, { length, height });
    return height;
  }

  #level(line: number): number {
    return Math.min(MOST_NESTED, this.folds.level(line));
  }

  #fill(row: Row, line: number, spans: number): void {
    const { store, now, ended } = this.log;
    const known = store.get(line);
    const group = this.folds.at(line);
    // Of one that is open the server's answer is out of date at once.
    const seconds = !group ? 0 : group.end !== null ? (group.seconds ?? 0) : (now - Date.parse(group.began)) / 1000;
    row.show(line, known, {
      numbered: store.numbered,
      spans,
      charset: this.log.charset,
      slice: this.parts.get(line),
      group,
      took: seconds >= 1 ? `${duration(seconds)}${group?.end === null && !ended ? " …" : ""}` : "",
      level: this.#level(line),
      above: (known && this.gaps?.above(known)) ?? 0,
      below: (known && this.gaps?.below(known)) ?? 0,
      folded: this.folds.isFolded(line),
      time: this.options.showTime ? this.options.time(line) : null,
      dark: this.options.dark,
      meanings: this.meanings,
      raw: this.raw,
    });
  }

  // Showing

  /** Make the page show what the window is on. */
  render(): void {
    const { store } = this.log;
    const shape = [this.options.wrap, this.options.showTime, String(store.numbered ? store.last : 0).length].join();
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.surface.classList.toggle("wrap", this.options.wrap);
      this.surface.style.setProperty("--digits", String(Math.max(3, String(store.numbered ? store.last : 0).length)));
      this.#fill(this.#gauge, 0, 0);
      this.#measure();
    }
    if (this.later && store.numbered) this.toHit(this.later);
    const lines = this.geometry;
    if (this.#target !== null) this.anchor = scroller.centred(lines, this.#target);
    this.anchor = this.following ? scroller.end(lines) : scroller.clamp(lines, this.anchor);
    if (this.meanings?.hides(store.get(this.anchor.line))) this.anchor = { line: lines.next(this.anchor.line), offset: 0 };
    const numbers = store.last ? scroller.visible(lines, this.anchor) : [];
    store.trim(numbers);
    for (const line of numbers) {
      if (!store.get(line)) {
        this.log.need(line);
        break;
      }
    }
    if (numbers.every((line) => store.get(line))) this.#target = null;
    this.#place(numbers);
    this.#prefetch(numbers);
    // The style shows it in rows whose lines are not here.
    this.surface.style.setProperty("--missing", JSON.stringify(this.log.missing));
    this.#rows.style.transform = `translateY(${-this.anchor.offset}px)`;
    this.#selecting.update();
    if (this.#target === null) this.hits?.reveal();
  }

  #place(numbers: readonly number[]): void {
    const wanted = new Set(numbers);
    for (const [line, row] of this.#shown) {
      if (wanted.has(line)) continue;
      this.#shown.delete(line);
      row.element.remove();
      if (this.#spare.length < 50) this.#spare.push(row);
    }
    const share = Math.max(SPANS, Math.ceil(this.#columns / COLUMNS));
    // Wrapped lines are fewer, and longer.
    let spans = share * Math.max(numbers.length, Math.ceil(this.#window / this.#row));
    let before: Element | null = null;
    const rows: Row[] = [];
    for (const [at, line] of numbers.entries()) {
      const row: Row = this.#shown.get(line) ?? this.#spare.pop() ?? new Row();
      this.#shown.set(line, row);
      // Whoever comes first gets what the others do not have a right to.
      this.#fill(row, line, spans - share * (numbers.length - at - 1));
      spans -= row.spans;
      const { marked } = this;
      row.element.classList.toggle("marked", marked !== null && line >= marked.from && line <= marked.to);
      row.element.setAttribute("aria-setsize", this.log.ended && this.log.store.numbered ? String(this.log.store.last) : "-1");
      const next: ChildNode | null = before ? before.nextSibling : this.#rows.firstChild;
      if (next !== row.element) this.#rows.insertBefore(row.element, next);
      before = row.element;
      rows.push(row);
    }
    this.decorate(rows);
  }

  #prefetch(numbers: readonly number[]): void {
    const [first, last] = [numbers[0], numbers.at(-1)];
    if (first === undefined || last === undefined || this.following) return;
    this.log.need(this.folds.previous(first - this.page));
    this.log.need(this.folds.next(last + this.page));
  }

  /** The lines that will be visible with the next frame. */
  get coming(): readonly number[] {
    return scroller.visible(this.geometry, this.#top);
  }

  get #top(): scroller.Anchor {
    return this.following ? scroller.end(this.geometry) : this.anchor;
  }

  /** The lines that are visible. */
  get lines(): readonly number[] {
    return [...this.#shown.keys()].sort((one, other) => one - other);
  }

  refresh(): void {
    this.#heights.clear();
    this.#shape = "";
    this.redraw();
  }

  // Selecting and copying

  /** The line of an element in the log. */
  lineOf(node: Node | null): number | null {
    const element = node instanceof Element ? node : node?.parentElement;
    const line = element?.closest<HTMLElement>(".row")?.dataset["line"];
    return line === undefined || !this.#rows.contains(node) ? null : Number(line);
  }

  row(line: number): Row | undefined {
    return this.#shown.get(line);
  }

  /** What is selected, in the order of the log. */
  get selection(): { from: Caret; to: Caret } | null {
    return this.#selecting.range;
  }

  /** Select the log, of which only some is on the page. */
  selectAll(): void {
    if (this.log.store.last < 1) return;
    this.pause();
    this.#selecting.all(this.log.store.last);
    this.redraw();
  }

  deselect(): void {
    this.#selecting.clear();
  }

  /** Where lines begin and end in the log; the end is behind the last one's newline. */
  async range({ from, to }: Lines): Promise<[number, number]> {
    return [await this.log.offsetOf(from), await this.log.offsetOf(to + 1)];
  }
}
