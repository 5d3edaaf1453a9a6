/** The rows on the page: an element for each line that is visible, and how high lines are. */

import type { Lines } from "./fragment.js";
import type { GapMap } from "./gaps.js";
import type { Log } from "./log.js";
import type { Parts } from "./parts.js";
import { duration, make, type Meanings, Row, type Time } from "./rows.js";
import type { Source } from "./source.js";

/** Elements that the text of a row may have, if all rows have as many: one for so many columns, and not fewer than that. */
const COLUMNS = 4;
const SPANS = 40;
/** Levels of nested groups that are indented. */
const MOST_NESTED = 8;

/** What a line has that may mean more than it says. */
const SUSPECT = /::|##|\[task|[{=]/;

export interface Options {
  wrap: boolean;
  dark: boolean;
  showTime: boolean;
  /** What is shown beside a line, if `showTime`. */
  time(line: number): Time;
}

/** What is drawn. */
export interface Drawn {
  readonly surface: HTMLElement;
  readonly source: Source;
  readonly parts: Parts;
  readonly marked: Lines | null;
  readonly meanings: Meanings | null;
  readonly raw: boolean;
  readonly gaps: GapMap | null;
}

export class Drawing {
  /** Heights of a row and of the window, in pixels. */
  row = 20;
  window = 0;
  readonly #rows = make("div", "rows");
  readonly #ruler = make("div", "ruler rows");
  readonly #gauge = new Row();
  readonly #cell = make("span", "text", "0".repeat(100));
  #shown = new Map<number, Row>();
  #spare: Row[] = [];
  #heights = new Map<number, { length: number; height: number }>();
  #columns = 80;
  #shape = "";

  constructor(
    private readonly view: Drawn,
    private readonly log: Log,
    readonly options: Options,
    private readonly redraw: () => void,
  ) {
    const { surface } = view;
    this.#ruler.append(this.#gauge.element, this.#cell);
    this.#ruler.setAttribute("aria-hidden", "true");
    this.#gauge.element.removeAttribute("role");
    this.#rows.setAttribute("role", "list");
    this.#rows.setAttribute("aria-label", "Lines");
    surface.append(this.#rows, this.#ruler);
    new ResizeObserver(() => this.#measure()).observe(surface);
  }

  /** All lines got other numbers. */
  renumber(shift: number): void {
    this.#heights.clear();
    this.#shown = new Map([...this.#shown].map(([line, row]) => [line + shift, row]));
  }

  /** Lines may have other heights; only this one, if it is named. */
  forget(line?: number): void {
    if (line !== undefined) this.#heights.delete(line);
    else {
      this.#heights.clear();
      this.#shape = "";
    }
  }

  // Sizes

  /** Before lines are asked for their heights: what gives all of them others may have changed. */
  prepare(): void {
    const { surface } = this.view;
    const { last, numbered } = this.log.store;
    const { wrap, showTime } = this.options;
    const digits = String(numbered ? last : 0).length;
    const shape = [wrap, showTime, digits].join();
    if (shape === this.#shape) return;
    this.#shape = shape;
    surface.classList.toggle("wrap", wrap);
    surface.style.setProperty("--digits", String(Math.max(3, digits)));
    this.#fill(this.#gauge, 0, 0);
    this.#measure();
  }

  #measure(): void {
    const { surface } = this.view;
    this.row = parseFloat(getComputedStyle(surface).lineHeight);
    this.window = surface.clientHeight;
    const room = surface.clientWidth - this.#gauge.text.getBoundingClientRect().left + this.#gauge.element.getBoundingClientRect().left;
    this.#columns = Math.floor((room - 16) / (this.#cell.getBoundingClientRect().width / 100)) || 80;
    this.#heights.clear();
    this.redraw();
  }

  /** Columns behind which lines are wrapped; 0: they are not. */
  get columns(): number {
    return this.options.wrap ? this.#columns : 0;
  }

  /** More rows of a line, and those for the gaps at it, in pixels. */
  silence(line: number): number {
    const { gaps, meanings, source } = this.view;
    const known = source.get(line);
    return known ? (Number((gaps?.above(known) ?? 0) > 0) + Number((gaps?.below(known) ?? 0) > 0) + (meanings?.more(known) ?? 0)) * this.row : 0;
  }

  height(line: number): number {
    const { meanings, parts, source } = this.view;
    if (!this.options.wrap) return this.row + this.silence(line);
    const known = source.get(line);
    if (!known) return this.row;
    const { length } = parts.get(line)?.text ?? known;
    // Fewer bytes than columns are one row, unless there are tabs, or buttons.
    if (this.silence(line) === 0 && length < this.#columns - 4 - 2 * this.#level(line) && !known.bytes.includes(9) && !source.at(line) && !(meanings && SUSPECT.test(String.fromCharCode(...known.bytes.subarray(0, 80))))) return this.row;
    const cached = this.#heights.get(line);
    if (cached?.length === length) return cached.height;
    this.#fill(this.#gauge, line, 0);
    const height = Math.max(this.row, this.#gauge.element.getBoundingClientRect().height);
    if (this.#heights.size > 2000) this.#heights.clear();
    this.#heights.set(line, { length, height });
    return height;
  }

  #level(line: number): number {
    return Math.min(MOST_NESTED, this.view.source.level(line));
  }

  // Rows

  #fill(row: Row, line: number, spans: number): void {
    const { gaps, meanings, parts, raw, source } = this.view;
    const { store, now, ended, charset } = this.log;
    const { dark, showTime } = this.options;
    const known = source.get(line);
    const group = source.at(line);
    // Of one that is open the server's answer is out of date at once.
    const seconds = !group ? 0 : group.end !== null ? (group.seconds ?? 0) : (now - Date.parse(group.began)) / 1000;
    row.show(line, known, {
      numbered: store.numbered,
      spans,
      charset,
      slice: parts.get(line),
      group,
      took: seconds >= 1 ? `${duration(seconds)}${group?.end === null && !ended ? " …" : ""}` : "",
      level: this.#level(line),
      above: (known && gaps?.above(known)) ?? 0,
      below: (known && gaps?.below(known)) ?? 0,
      folded: source.isFolded(line),
      time: showTime ? this.options.time(line) : null,
      dark,
      meanings,
      raw,
    });
  }

  /** Show these lines, the first of them from so many pixels on. Returns their rows. */
  show(numbers: readonly number[], offset: number): readonly Row[] {
    const wanted = new Set(numbers);
    for (const [line, row] of this.#shown) {
      if (wanted.has(line)) continue;
      this.#shown.delete(line);
      row.element.remove();
      if (this.#spare.length < 50) this.#spare.push(row);
    }
    const share = Math.max(SPANS, Math.ceil(this.#columns / COLUMNS));
    // Wrapped lines are fewer, and longer.
    let spans = share * Math.max(numbers.length, Math.ceil(this.window / this.row));
    let before: Element | null = null;
    const rows: Row[] = [];
    const { marked } = this.view;
    const size = this.log.ended && this.log.store.numbered ? String(this.log.store.last) : "-1";
    for (const [at, line] of numbers.entries()) {
      const row: Row = this.#shown.get(line) ?? this.#spare.pop() ?? new Row();
      this.#shown.set(line, row);
      // Whoever comes first gets what the others do not have a right to.
      this.#fill(row, line, spans - share * (numbers.length - at - 1));
      spans -= row.spans;
      row.element.classList.toggle("marked", marked !== null && line >= marked.from && line <= marked.to);
      row.element.setAttribute("aria-setsize", size);
      const next: ChildNode | null = before ? before.nextSibling : this.#rows.firstChild;
      if (next !== row.element) this.#rows.insertBefore(row.element, next);
      before = row.element;
      rows.push(row);
    }
    // The style shows it in rows whose lines are not here.
    this.view.surface.style.setProperty("--missing", JSON.stringify(this.log.missing));
    this.#rows.style.transform = `translateY(${-offset}px)`;
    return rows;
  }

  /** The lines that are visible. */
  get lines(): readonly number[] {
    return [...this.#shown.keys()].sort((one, other) => one - other);
  }

  get(line: number): Row | undefined {
    return this.#shown.get(line);
  }

  /** The line of an element in the log. */
  lineOf(node: Node | null): number | null {
    const element = node instanceof Element ? node : node?.parentElement;
    const line = element?.closest<HTMLElement>(".row")?.dataset["line"];
    return line === undefined || !this.#rows.contains(node) ? null : Number(line);
  }
}
