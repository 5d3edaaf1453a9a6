/**
 * A window on lines as rows: all of a `Sequence`'s lines are elements, and the browser scrolls them. What is looked at stays where it is
 * when lines come or go in front of it. Text of logs reaches the page here, as text nodes (`elements`).
 */

import { clock, date, span } from "../clock.js";
import { linked } from "../content.js";
import { parse } from "../ansi.js";
import { elements, make } from "../rows.js";
import type { Settings } from "../settings.js";
import type { Entry, Sequence } from "./sequence.js";

/** Pixels from an edge at which more lines are wanted. */
const NEAR = 800;
/** Elements that the text of one line may have, and characters that are shown of it. */
const [SPANS, SHOWN] = [200, 4096];

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
  readonly #text = make("span", "text");
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
    this.element.append(...(name ? [who] : []), this.#number, this.#time, this.#text);
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
    this.#text.replaceChildren(...elements(runs.flatMap(linked), SPANS, look.dark));
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
  #style = "";
  #top = 0;

  /** `moved` is called when the user has scrolled, or more is wanted. */
  constructor(
    readonly sequence: Sequence,
    label: string,
    private readonly look: Look,
    private readonly moved: (pane: Pane) => void,
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
    this.surface.style.setProperty("--digits", String(Math.max(3, ...entries.slice(-1).map(({ line }) => String(line).length))));
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
    const up = scrollTop < this.#top - 1;
    this.#top = scrollTop;
    const { sequence } = this;
    if (sequence.following ? up && !this.isAtEnd : this.isAtEnd && !up) sequence.following = !sequence.following;
    this.#demand();
    this.moved(this);
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

  /** Move by so many rows; `page`: by so many windows. */
  step(rows: number, page = false): void {
    const { surface } = this;
    const height = page ? surface.clientHeight - 20 : 20;
    if (rows < 0) this.sequence.following = false;
    surface.scrollTop += rows * height;
  }

  /** Go to where the window begins. */
  toTop(): void {
    this.#scroll(0);
  }

  /** Have a line of the window seen. */
  reveal(entry: Entry, where: "top" | "middle"): boolean {
    const element = this.#rows.get(entry)?.element;
    if (!element) return false;
    const shift = where === "top" ? 0 : (this.surface.clientHeight - element.offsetHeight) / 2;
    this.#scroll(element.offsetTop - shift);
    this.#demand();
    return true;
  }
}
