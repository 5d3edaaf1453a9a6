/**
 * The rows: those that can be seen, and a few more, however many logs there are. Names, titles and labels reach the page here, as
 * text nodes. The keyboard is with the table as a whole, and one row of it is the active one: so nothing is lost when rows are used again.
 */

import { element } from "../dom.js";
import { Row } from "./row.js";
import type { Log } from "./logs.js";

/** Rows above and below those that can be seen. */
const MORE = 8;
/** The height of a row before the style has said it; pixels. */
const USUAL = 52;

export interface Marks {
  /** The address of a log's page. */
  address(name: string): string;
  isSelected(generation: string): boolean;
}

export class Table {
  /** The log that keys are about. */
  active: Log | null = null;
  readonly #place = element("list");
  readonly #space = element("rows");
  readonly #rows: Row[] = [];
  #logs: readonly Log[] = [];
  #first = 0;
  /** What is at the top, and how far it is above the edge; null: the beginning of the list, whatever that is. */
  #anchor: { log: Log; above: number } | null = null;
  /** Sizes in pixels, and the place of the window. They are kept, since asking the browser for them makes it lay out the page at once. */
  #height = USUAL;
  #window = 0;
  /** What the heading takes. */
  #top = 0;
  #scrolled = 0;
  #now = 0;

  constructor(
    private readonly marks: Marks,
    private readonly redraw: () => void,
  ) {
    // The browser tells of it once in a frame, just before it draws: rows can be filled at once.
    this.#place.addEventListener("scroll", () => this.#moved(), { passive: true });
    new ResizeObserver(() => this.#measure()).observe(this.#place);
  }

  #measure(): void {
    this.#height = parseFloat(getComputedStyle(this.#place).getPropertyValue("--row")) || USUAL;
    this.#window = this.#place.clientHeight;
    this.#top = element("columns").offsetHeight;
    this.redraw();
  }

  /** How many rows can be seen. */
  get page(): number {
    return Math.max(1, Math.floor((this.#window - this.#top) / this.#height) - 1);
  }

  focus(): void {
    this.#place.focus({ preventScroll: true });
  }

  logOf(target: Element): Log | null {
    const row = target.closest<HTMLElement>(".log");
    return row ? (this.#logs[Number(row.ariaRowIndex) - 2] ?? null) : null;
  }

  /** Go so many rows down. */
  step(rows: number): void {
    const now = this.active ? this.#logs.indexOf(this.active) : -1;
    this.toIndex(now < 0 ? (rows > 0 ? Math.min(this.#seen + rows - 1, this.#seen) : this.#seen) : now + rows);
  }

  /** Make the row at this place the active one, and have it seen. */
  toIndex(index: number): void {
    if (!this.#logs.length) return;
    index = Math.max(0, Math.min(this.#logs.length - 1, index));
    this.active = this.#logs[index]!;
    const [top, bottom] = [index * this.#height, (index + 1) * this.#height + this.#top];
    if (top < this.#scrolled) this.#scroll(top);
    else if (bottom > this.#scrolled + this.#window) this.#scroll(bottom - this.#window);
    this.#note();
    this.#draw();
  }

  /** Go to the beginning of the list, whatever that will be. */
  toStart(): void {
    this.#anchor = null;
    this.#scroll(0);
  }

  /** What the browser may keep of where one was. */
  get state(): { active: string | null; top: string | null; above: number } {
    return { active: this.active?.generation ?? null, top: this.#anchor?.log.generation ?? null, above: this.#anchor?.above ?? 0 };
  }

  /** Go where one was. */
  restore(active: Log | null, top: Log | null, above: number): void {
    this.active = active;
    this.#anchor = top && { log: top, above };
    this.redraw();
  }

  /** Show these logs. What is at the top stays there, unless that is the beginning of the list. */
  show(logs: readonly Log[], now: number): void {
    this.#now = now;
    const changed = logs !== this.#logs;
    this.#logs = logs;
    const space = `${logs.length * this.#height}px`;
    if (this.#space.style.height !== space) this.#space.style.height = space;
    this.#place.ariaRowCount = String(logs.length + 1);
    const limit = Math.max(0, logs.length * this.#height + this.#top - this.#window);
    if (changed && this.#anchor) {
      const index = logs.indexOf(this.#anchor.log);
      if (index >= 0) this.#scroll(index * this.#height + this.#anchor.above);
    }
    if (this.#scrolled > limit) this.#scrolled = limit; // as the browser does it by itself
    this.#note();
    this.#draw();
  }

  #draw(): void {
    const first = Math.max(0, Math.floor(this.#scrolled / this.#height) - MORE);
    const count = Math.max(0, Math.min(this.#logs.length - first, Math.ceil(this.#window / this.#height) + 2 * MORE));
    while (this.#rows.length > count) this.#rows.pop()!.element.remove();
    while (this.#rows.length < count) {
      const row = new Row();
      this.#rows.push(row);
      this.#space.append(row.element);
    }
    // Rows that are still seen stay what they are.
    const shift = first - this.#first;
    if (Math.abs(shift) < count) {
      for (let moved = 0; moved < shift; moved++) {
        const row = this.#rows.shift()!;
        this.#rows.push(row);
        this.#space.append(row.element);
      }
      for (let moved = 0; moved > shift; moved--) {
        const row = this.#rows.pop()!;
        this.#rows.unshift(row);
        this.#space.prepend(row.element);
      }
    }
    this.#first = first;
    // One distance for all rows: if each had its own, the browser would have to put together as many layers.
    this.#space.style.paddingTop = `${first * this.#height}px`;
    let active = "";
    for (const [at, row] of this.#rows.entries()) {
      const log = this.#logs[first + at]!;
      const { generation, status } = log;
      row.show(log, { index: first + at, isActive: log === this.active,
        isSelected: this.marks.isSelected(generation), address: this.marks.address(status.name), now: this.#now });
      if (log === this.active) active = row.element.id;
    }
    if (active === this.#told) return;
    this.#told = active;
    if (active) this.#place.setAttribute("aria-activedescendant", active);
    else this.#place.removeAttribute("aria-activedescendant");
  }

  #told = "";

  #moved(): void {
    this.#scrolled = this.#place.scrollTop;
    this.#note();
    this.#draw();
  }

  #scroll(top: number): void {
    if (Math.abs(top - this.#scrolled) < 1) return;
    this.#scrolled = this.#place.scrollTop = top;
  }

  #note(): void {
    const log = this.#logs[Math.floor(this.#scrolled / this.#height)];
    if (this.#logs.length) this.#anchor = this.#scrolled > 0 && log ? { log, above: this.#scrolled % this.#height } : null;
  }

  /** The first row that can be seen. */
  get #seen(): number {
    return Math.ceil(this.#scrolled / this.#height);
  }
}
