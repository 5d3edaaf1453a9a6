/**
 * A window on lines as rows: all of a `Sequence`'s lines are elements, and the browser scrolls them. What is looked at stays where it is
 * when lines come or go in front of it. Text of logs reaches the page here, as text nodes (`elements`).
 */

import { clock, date, span } from "../clock.js";
import { linked } from "../content.js";
import { parse } from "../ansi.js";
import { elements, make, spot } from "../rows.js";
import type { Settings } from "../settings.js";
import type { Entry, Sequence } from "./sequence.js";

/** Pixels from an edge at which more lines are wanted. */
const NEAR = 800;
/** Milliseconds for which a log that does not answer keeps the others back. */
const PATIENCE = 10_000;
/** Elements that the text of one line may have, and characters that are shown of it. */
const [SPANS, SHOWN] = [200, 4096];
/** Matches that are marked in a window. */
const MOST_RANGES = 3000;

/** How lines are shown. */
export interface Look {
  readonly settings: Settings;
  readonly dark: boolean;
  /** What a log is called in front of its lines; empty: they have no name. */
  name(track: number): string;
  /** The address of a line on its log's own page. */
  address(entry: Entry): string;
  /** When the log began; milliseconds since the epoch. */
  began(track: number): number;
}

class Row {
  readonly element = make("div", "row");
  readonly #number = make("a", "number");
  readonly #time = make("span", "time");
  readonly text = make("span", "text");
  #shown = "";

  constructor(readonly entry: Entry, look: Look) {
    this.element.setAttribute("role", "listitem");
    this.#number.textContent = String(entry.line);
    this.#number.href = look.address(entry);
    this.#number.tabIndex = -1;
    const name = look.name(entry.track);
    const who = make("span", "who", name);
    if (name) {
      this.element.style.setProperty("--hue", String(hue(entry.track)));
      who.title = name;
    }
    this.element.append(...(name ? [who] : []), this.#number, this.#time, this.text);
  }

  show(before: Entry | undefined, look: Look): void {
    const { entry } = this;
    const time = timeOf(entry, before, look);
    this.#time.hidden = time === "";
    if (this.#time.textContent !== time) {
      this.#time.textContent = time;
      this.#time.title = time && date(entry.time);
    }
    const shown = `${look.dark} ${entry.text}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    const { runs } = parse(entry.text, entry.style, SHOWN);
    this.text.replaceChildren(...elements(runs.flatMap(linked), SPANS, look.dark));
  }
}

function timeOf(entry: Entry, before: Entry | undefined, { settings, began }: Look): string {
  switch (settings.time) {
    case "none": return "";
    case "clock": return clock(entry.time);
    case "start": return span(entry.time - began(entry.track));
    case "before": return `+${span(entry.time - (before?.time ?? entry.time))}`;
  }
}

/** The hue of a log: those of neighbours are far from each other. */
export function hue(track: number): number {
  return Math.round((250 + track * 137.5) % 360);
}

export class Pane {
  readonly element = make("section", "pane");
  readonly head = make("div", "top");
  readonly surface = make("div", "surface");
  readonly #list = make("div", "rows");
  #rows = new Map<Entry, Row>();
  #drawn = -1;
  /** Since when the first lines of a window are waited for. */
  #opening = { epoch: -1, time: 0 };
  /** The line that is to be seen once it is there, and where. */
  #goal: { readonly find: (entry: Entry, next: Entry | undefined) => boolean; readonly where: "top" | "middle" } | null = null;
  #style = "";
  #top = 0;

  /** `moved` is called when more is wanted, or the user has scrolled (`byUser`). */
  constructor(
    readonly sequence: Sequence,
    label: string,
    private readonly look: Look,
    private readonly moved: (pane: Pane, byUser?: boolean) => void,
  ) {
    this.element.setAttribute("aria-label", label);
    this.surface.tabIndex = 0;
    this.surface.setAttribute("role", "group");
    this.surface.setAttribute("aria-label", `Lines of ${label}`);
    this.#list.setAttribute("role", "list");
    this.surface.append(this.#list);
    this.element.append(this.head, this.surface);
    this.surface.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#settle()).observe(this.surface);
  }

  /** Show what there is. */
  draw(): void {
    const { sequence, look } = this;
    if (this.#opening.epoch !== sequence.epoch) this.#opening = { epoch: sequence.epoch, time: Date.now() };
    if (!sequence.isOpen && Date.now() - this.#opening.time > PATIENCE) sequence.waitNoMore();
    if (!sequence.isOpen) return; // what was shown stays until there is something else
    const style = [look.settings.time, look.settings.wrap, look.dark].join();
    if (this.#drawn !== sequence.changes || this.#style !== style) {
      const anchor = this.#anchor();
      this.surface.classList.toggle("wrap", look.settings.wrap);
      this.#fill();
      this.#drawn = sequence.changes;
      this.#style = style;
      if (!sequence.following && anchor?.row.element.isConnected) this.#scroll(this.surface.scrollTop + anchor.row.element.offsetTop - anchor.top);
    }
    this.#arrive();
    this.#settle();
  }

  #fill(): void {
    const { entries } = this.sequence;
    const kept = new Map<Entry, Row>();
    for (const entry of entries) kept.set(entry, this.#rows.get(entry) ?? new Row(entry, this.look));
    for (const [entry, row] of this.#rows) if (!kept.has(entry)) row.element.remove();
    this.#rows = kept;
    let next = this.#list.firstElementChild;
    let before: Entry | undefined;
    for (const [entry, row] of kept) {
      if (next === row.element) next = next.nextElementSibling;
      else this.#list.insertBefore(row.element, next);
      row.show(before, this.look);
      before = entry;
    }
    const most = entries.reduce((most, { line }) => Math.max(most, line), 100);
    this.surface.style.setProperty("--digits", String(String(most).length));
  }

  /** Stay at the end, if it is followed, and say what more is wanted. */
  #settle(): void {
    const { surface, sequence } = this;
    if (sequence.following) this.#scroll(surface.scrollHeight - surface.clientHeight);
    this.#demand();
  }

  #demand(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.surface;
    const above = scrollTop < NEAR;
    const below = scrollHeight - scrollTop - clientHeight < NEAR;
    const { demand } = this.sequence;
    if (above === demand.above && below === demand.below) return;
    this.sequence.demand = { above, below };
    if (above || below) this.moved(this);
  }

  /** Whether the last row can be seen, and there is nothing behind it. */
  get isAtEnd(): boolean {
    const { scrollTop, scrollHeight, clientHeight } = this.surface;
    return this.sequence.isAtEnd && scrollHeight - scrollTop - clientHeight < 4;
  }

  #scrolled(): void {
    const { scrollTop } = this.surface;
    if (Math.abs(scrollTop - this.#top) <= 1) return this.#demand(); // the page itself has scrolled
    this.#goal = null;
    const up = scrollTop < this.#top;
    this.#top = scrollTop;
    const { sequence } = this;
    if (sequence.following ? up && !this.isAtEnd : this.isAtEnd && !up) sequence.following = !sequence.following;
    this.#demand();
    this.moved(this, true);
  }

  #scroll(top: number): void {
    this.surface.scrollTop = top;
    this.#top = this.surface.scrollTop;
  }

  /** The first row of which something can be seen, and where it is. */
  #anchor(): { row: Row; top: number } | null {
    const { scrollTop } = this.surface;
    for (const row of this.#rows.values()) {
      const { offsetTop, offsetHeight } = row.element;
      if (offsetTop + offsetHeight > scrollTop) return { row, top: offsetTop };
    }
    return null;
  }

  /** The first line of which something can be seen. */
  get first(): Entry | null {
    return this.#anchor()?.row.entry ?? null;
  }

  /** The last line of which something can be seen. */
  get last(): Entry | null {
    const bottom = this.surface.scrollTop + this.surface.clientHeight;
    return [...this.#rows.values()].findLast(({ element }) => element.offsetTop < bottom)?.entry ?? null;
  }

  /** Whether a line can be seen: that of a log which begins at this byte. */
  sees(track: number, at: number): boolean {
    const { scrollTop, clientHeight } = this.surface;
    const row = [...this.#rows.values()].find(({ entry }) => entry.track === track && entry.at === at);
    return row !== undefined && row.element.offsetTop + row.element.offsetHeight > scrollTop && row.element.offsetTop < scrollTop + clientHeight;
  }

  /** Move by so many rows; `page`: by so many windows. */
  step(rows: number, page = false): void {
    const { surface } = this;
    const height = page ? surface.clientHeight - 20 : 20;
    if (rows < 0) this.sequence.following = false;
    surface.scrollTop += rows * height;
  }

  /** Go to where the window begins. */
  toTop(): void {
    this.#goal = null;
    this.#scroll(0);
  }

  /** Go to a line: that of a log which begins at this byte and came at this time. */
  toLine(track: number, at: number, time: number): void {
    const { sequence } = this;
    this.#goal = { find: (entry) => entry.track === track && entry.at === at, where: "middle" };
    sequence.following = false;
    if (!sequence.entries.some((entry) => this.#goal!.find(entry, undefined))) sequence.open({ time, track, at });
  }

  /** Have the last line that came until this time at the top. */
  toTime(time: number): void {
    const { sequence } = this;
    const { entries, isOpen } = sequence;
    sequence.following = false;
    this.#goal = { find: (entry, next) => entry.time <= time && !(next && next.time <= time), where: "top" };
    if (!isOpen) return sequence.open({ time });
    const [first, last] = [entries[0], entries.at(-1)];
    const isKnown = first && last && (first.time <= time || sequence.isAtStart) && (last.time > time || sequence.isAtEnd);
    if (!isKnown) sequence.open({ time });
  }

  /** Go to the goal. Until there are lines in front of it, it is gone to again. */
  #arrive(): void {
    const { entries, isAtStart } = this.sequence;
    if (this.sequence.following) this.#goal = null;
    if (!this.#goal || !entries.length) return;
    const { find, where } = this.#goal;
    const place = Math.max(entries.findIndex((entry, at) => find(entry, entries[at + 1])), where === "top" ? 0 : -1);
    const element = this.#rows.get(entries[place]!)?.element;
    if (!element) return;
    this.#scroll(element.offsetTop - (where === "top" ? 0 : (this.surface.clientHeight - element.offsetHeight) / 2));
    if (isAtStart || element.offsetTop > this.surface.clientHeight) this.#goal = null;
  }

  /** The line whose number this is. */
  numbered(target: Element): Entry | null {
    const row = target.closest(".number")?.parentElement;
    return [...this.#rows.values()].find(({ element }) => element === row)?.entry ?? null;
  }

  /** Mark lines, and what there is to mark in all of them. */
  mark(isMarked: (entry: Entry) => boolean, pattern: RegExp | null): Range[] {
    const ranges: Range[] = [];
    for (const { element, entry, text } of this.#rows.values()) {
      element.classList.toggle("marked", isMarked(entry));
      if (!pattern) continue;
      for (const { index, 0: match } of text.textContent!.matchAll(pattern)) {
        const range = document.createRange();
        range.setStart(...spot(text, index));
        range.setEnd(...spot(text, index + match.length));
        ranges.push(range);
        if (ranges.length >= MOST_RANGES) return ranges;
      }
    }
    return ranges;
  }
}
