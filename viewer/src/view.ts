/**
 * The window on the log: which lines it shows, and how it moves over them.
 *
 * Rows exist only for what is visible. The anchor (see `scroller`) says where the window is, and nothing but the
 * user moves it, unless the window follows the end.
 */

import { Drawing, type Options } from "./drawing.js";
import type { Log } from "./log.js";
import type { GapMap } from "./gaps.js";
import type { Lines } from "./fragment.js";
import type { Found } from "./api.js";
import { moving } from "./moving.js";
import { Parts } from "./parts.js";
import type { Revealing } from "./revealing.js";
import type { Meanings, Row } from "./rows.js";
import * as scroller from "./scroller.js";
import { type Caret, Selecting } from "./selecting.js";
import { type Source, Whole } from "./source.js";

export interface Place {
  readonly anchor: scroller.Anchor;
  readonly following: boolean;
}

export class View {
  anchor: scroller.Anchor = { line: 1, offset: 0 };
  following = true;
  /** Whether it was moved since the page, or another address of it, was opened. */
  moved = false;
  /** Lines that are marked, as the address says. */
  marked: Lines | null = null;
  terminal: import("./terminal.js").Terminal | null = null; // once lines write over each other
  readonly whole: Whole;
  /** The lines that it is a window on. */
  source: Source;
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

  /** A line that is in the middle, or so many pixels below the top, until all around it are known, and with them their heights. */
  #target: { readonly line: number; readonly top: number | null } | null = null;
  /** The line at the top, and its height, as they were drawn. */
  #drawn = { line: 0, height: 0, columns: 0 };
  readonly #drawing: Drawing;
  readonly #selecting: Selecting;

  constructor(
    readonly surface: HTMLElement,
    private readonly log: Log,
    options: Options,
    private readonly redraw: () => void,
  ) {
    this.source = this.whole = new Whole(log, (line) => this.meanings?.hides(line) ?? false);
    this.parts = new Parts(log, () => this.source, (line) => {
      this.#drawing.forget(line);
      redraw();
    });
    this.#drawing = new Drawing(this, log, options, redraw);
    moving(this);
    this.#selecting = new Selecting(this, redraw);
  }

  // Moving

  get geometry(): scroller.Geometry {
    const { source } = this;
    const { window, row } = this.#drawing;
    return {
      last: source.last,
      window,
      row,
      height: (line) => this.#drawing.height(line),
      next: (line) => source.next(line),
      previous: (line) => source.previous(line),
    };
  }

  /** Whole rows in the window. */
  get page(): number {
    return Math.max(1, Math.floor(this.#drawing.window / this.#drawing.row) - 1);
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
    const { height, previous, row } = this.geometry;
    const isEven = !this.#drawing.options.wrap && height(line) === row && height(previous(line)) === row;
    if (!isEven && Math.abs(rows) === 1) {
      this.by(rows > 0 ? height(line) - offset : offset > 0 ? -offset : -height(previous(line)));
    } else this.by(rows * row);
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
      this.moved = true;
      return this.redraw();
    }
    const line = Math.min(Math.max(1, found.line!), Math.max(1, this.log.store.last));
    this.source.open(line);
    this.#go(scroller.centred(this.geometry, line), false);
    this.#target = { line, top: null };
    this.gone = line;
    if (this.hits) this.hits.wanted = found.offset === undefined ? null : found;
  }

  /** Where the window is. */
  get place(): Place {
    return { anchor: this.anchor, following: this.following };
  }

  restore({ anchor, following }: Place): void {
    this.#go(anchor, following);
  }

  follow(): void {
    this.#go(this.anchor, true);
  }

  pause(): void {
    if (this.following) this.#go(scroller.end(this.geometry), false);
  }

  #go(anchor: scroller.Anchor, following: boolean): void {
    if (this.following && !following) this.seen = this.source.last;
    this.anchor = anchor;
    this.following = following;
    this.moved = true;
    this.#target = this.later = this.gone = null;
    if (this.hits) this.hits.wanted = null;
    this.redraw();
  }

  /** All lines got other numbers. */
  renumber(shift: number): void {
    this.anchor = { ...this.anchor, line: this.anchor.line + shift };
    this.seen += shift;
    this.#selecting.renumber(shift);
    this.parts.renumber(shift);
    this.#drawing.renumber(shift);
  }

  /** Change what gives lines other heights: the text at the top stays where it is. */
  change(make: () => void): void {
    const above = () => ((known) => (known && this.gaps?.above(known) ? this.#drawing.row : 0))(this.source.get(this.anchor.line));
    const before = above();
    make();
    this.anchor = { ...this.anchor, offset: Math.max(0, this.anchor.offset + above() - before) };
    this.refresh();
  }

  // Showing

  /** Make the page show what the window is on. */
  render(): void {
    this.#drawing.prepare();
    if (this.later && this.log.store.numbered) this.toHit(this.later);
    const { source } = this;
    const lines = this.geometry;
    this.#fit(lines);
    if (this.#target !== null) this.anchor = this.#aimed(lines, this.#target);
    this.anchor = this.following ? scroller.end(lines) : scroller.clamp(lines, this.anchor);
    // What is at the top may not be shown any more.
    const top = lines.next(this.anchor.line - 1);
    if (top !== this.anchor.line) this.anchor = { line: top, offset: 0 };
    const numbers = source.last ? scroller.visible(lines, this.anchor) : [];
    source.trim(numbers);
    const missing = numbers.find((line) => !source.get(line));
    if (missing === undefined) this.#target = null;
    else source.need(missing);
    this.decorate(this.#drawing.show(numbers, this.anchor.offset));
    this.#drawn = { line: this.anchor.line, height: lines.height(this.anchor.line), columns: this.#drawing.columns };
    this.#prefetch(numbers);
    this.#selecting.update();
    if (this.#target === null) this.hits?.reveal();
  }

  /** Where lines are wrapped in another way than before, the same part of the line stays at the top. */
  #fit(lines: scroller.Geometry): void {
    const { line, offset } = this.anchor;
    const { columns, height } = this.#drawn;
    if (columns !== this.#drawing.columns && line === this.#drawn.line) this.anchor = { line, offset: (offset / height) * lines.height(line) };
  }

  /** Where the window is if a line is in its place; if it is not shown, the nearest one that is. */
  #aimed(lines: scroller.Geometry, { line, top }: { readonly line: number; readonly top: number | null }): scroller.Anchor {
    const next = lines.next(line - 1);
    const near = next <= lines.last ? next : Math.max(1, lines.previous(line));
    return top === null ? scroller.centred(lines, near) : scroller.move(lines, { line: near, offset: 0 }, -top);
  }

  /** Show the lines of another source. This line stays where it is on the screen, or that which is nearest to it. */
  turn(source: Source, line: number): void {
    const row = this.row(line);
    const top = row ? row.element.getBoundingClientRect().top - this.surface.getBoundingClientRect().top : 0;
    this.source = source;
    this.seen = source.last;
    this.gone = null;
    this.#target = this.following ? null : { line, top };
    this.refresh();
  }

  #prefetch(numbers: readonly number[]): void {
    const [first, last] = [numbers[0], numbers.at(-1)];
    if (first === undefined || last === undefined || this.following) return;
    this.source.need(this.source.previous(first - this.page));
    this.source.need(this.source.next(last + this.page));
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
    return this.#drawing.lines;
  }

  refresh(): void {
    this.#drawing.forget();
    this.redraw();
  }

  // Selecting and copying

  /** The line of an element in the log. */
  lineOf(node: Node | null): number | null {
    return this.#drawing.lineOf(node);
  }

  row(line: number): Row | undefined {
    return this.#drawing.get(line);
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
