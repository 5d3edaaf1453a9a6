/**
 * What is selected: kept as lines and columns of the log's text, not as elements, which come and go.
 *
 * The mouse selects what is under it in each frame that is shown, also while it is held still outside the window, which then
 * moves from frame to frame. Fingers, keys and double clicks select as the browser does it, which tells of it afterwards.
 */

import { type Row, spot } from "./rows.js";

/** A place in the text of a line. */
export interface Caret {
  readonly line: number;
  /** Characters of the line's text in front of it, counted from byte `start` of the line. Infinity: behind the line, and its newline. */
  readonly column: number;
  readonly start: number;
}

/** What is selected in: a window on the log. */
export interface Surface {
  readonly surface: HTMLElement;
  /** The lines that are visible. */
  readonly lines: readonly number[];
  row(line: number): Row | undefined;
  lineOf(node: Node | null): number | null;
  pause(): void;
  /** Move by pixels, and do not follow. */
  drag(pixels: number): void;
}

/** Pixels that the mouse may move in a click. */
const STILL = 3;

export class Selecting {
  #from: Caret | null = null;
  #to: Caret | null = null;
  /** Where the mouse is while its button is down; `moved`: whether that is more than a click. */
  #mouse: { x: number; y: number; moved: boolean } | null = null;
  #clicks = 0;
  #restored = "";

  constructor(
    private readonly view: Surface,
    private readonly redraw: () => void,
  ) {
    this.#listen();
  }

  /** What is selected, in the order of the log; null: nothing. */
  get range(): { from: Caret; to: Caret } | null {
    const [from, to] = [this.#from, this.#to];
    if (!from || !to) return null;
    const order = from.line - to.line || from.start - to.start || from.column - to.column;
    if (!order) return null; // NaN, which two ends of one line have, too
    return order > 0 ? { from: to, to: from } : { from, to };
  }

  /** Select all, of which only some is on the page. */
  all(last: number): void {
    this.#from = { line: -Infinity, column: 0, start: 0 };
    this.#to = { line: last, column: Infinity, start: 0 };
  }

  clear(): void {
    this.#from = this.#to = null;
    getSelection()?.removeAllRanges();
  }

  /** All lines got other numbers. */
  renumber(shift: number): void {
    if (this.#from) this.#from = { ...this.#from, line: this.#from.line + shift };
    if (this.#to) this.#to = { ...this.#to, line: this.#to.line + shift };
  }

  /** Rows are shown anew: select what is under the mouse, and what is visible of the rest. */
  update(): void {
    if (this.#mouse?.moved) this.#follow(this.#mouse.x, this.#mouse.y);
    this.#restore();
  }

  #listen(): void {
    const { surface } = this.view;
    const main = surface.parentElement!;
    surface.addEventListener("mousedown", ({ detail }) => ([this.#clicks, this.#restored] = [detail, ""]));
    surface.addEventListener("selectstart", (event) => this.#mouse && this.#clicks === 1 && event.preventDefault());
    surface.addEventListener("pointerdown", ({ button, pointerType, shiftKey, target, clientX: x, clientY: y }) => {
      if (button !== 0 || pointerType === "touch" || (target as Element).closest("button, .number")) return;
      const caret = this.#at(x, y);
      this.#to = caret;
      if (!shiftKey || !this.#from) {
        this.#from = caret;
        getSelection()?.removeAllRanges();
      }
      this.#mouse = { x, y, moved: false };
      this.redraw();
    });
    addEventListener("pointermove", ({ clientX: x, clientY: y, buttons, pointerId }) => {
      const mouse = this.#mouse;
      if (!mouse) return;
      if (!(buttons & 1)) return stop();
      if (!mouse.moved && Math.hypot(x - mouse.x, y - mouse.y) < STILL) return;
      if (!mouse.moved) {
        this.view.pause();
        surface.setPointerCapture(pointerId); // else the browser may tell nothing of a mouse that leaves its window
      }
      this.#mouse = { x, y, moved: true };
      main.classList.add("selecting");
      this.redraw();
    });
    const stop = () => {
      this.#mouse = null;
      main.classList.remove("selecting");
    };
    addEventListener("pointerup", ({ clientX: x, clientY: y }) => {
      if (this.#mouse?.moved) {
        this.#to = this.#at(x, y) ?? this.#to;
        this.#restore();
      }
      stop();
    });
    addEventListener("pointercancel", stop);
    document.addEventListener("selectionchange", () => this.#changed());
  }

  /** Select up to the mouse, and move the window after it: once for each time that it is shown, so that it does not run ahead. */
  #follow(x: number, y: number): void {
    const { surface } = this.view;
    this.#to = this.#at(x, y) ?? this.#to;
    const { top, bottom, left, right } = surface.getBoundingClientRect();
    const [across, down] = [beyond(x, left, right), beyond(y, top, bottom)];
    surface.scrollLeft += across;
    if (across || down) this.view.drag(down);
  }

  /** The browser has selected something: by itself, or as it was told to. */
  #changed(): void {
    const selection = getSelection();
    if (!selection || selection.isCollapsed || this.#mouse?.moved || this.#restoring(selection)) return;
    const [from, to] = [this.#caret(selection.anchorNode, selection.anchorOffset), this.#caret(selection.focusNode, selection.focusOffset)];
    if (!from && !to) this.#from = this.#to = null; // it is in another part of the page
    if (!to) return;
    if (!this.#from || this.view.row(this.#from.line)) this.#from = from;
    this.#to = to;
    this.view.pause();
  }

  #caret(node: Node | null, offset: number): Caret | null {
    const line = this.view.lineOf(node);
    const row = line === null ? undefined : this.view.row(line);
    if (line === null || !row || !node) return null;
    const { start } = row;
    if (!row.text.contains(node)) return { line, column: 0, start };
    const range = document.createRange();
    range.setStart(row.text, 0);
    range.setEnd(node, offset);
    return { line, column: row.column(range.toString().length), start };
  }

  /** The place in the text that is nearest to a point of the page. */
  #at(x: number, y: number): Caret | null {
    const { lines, surface } = this.view;
    const { top, bottom, left, right } = surface.getBoundingClientRect();
    y = Math.min(Math.max(y, top + 1), bottom - 1);
    const line = lines.find((line) => this.view.row(line)!.element.getBoundingClientRect().bottom > y) ?? lines.at(-1);
    const row = line === undefined ? undefined : this.view.row(line);
    if (line === undefined || !row) return null;
    const box = row.text.getBoundingClientRect();
    const { start } = row;
    if (x <= box.left || y < box.top) return { line, column: 0, start };
    const end = { line, column: row.column(Infinity), start };
    if (y >= box.bottom || box.right <= left) return end;
    x = Math.min(Math.max(x, left + 1), right - 1, box.right - 1);
    const range = document.caretRangeFromPoint?.(x, y);
    const place = range ? null : document.caretPositionFromPoint?.(x, y);
    const [node, offset] = range ? [range.startContainer, range.startOffset] : [place?.offsetNode, place?.offset ?? 0];
    return node && row.text.contains(node) ? this.#caret(node, offset) : end;
  }

  /** Whether the browser only tells of the selection that was just made by `restore`. */
  #restoring(selection: Selection): boolean {
    return this.#restored !== "" && this.#restored === place(selection);
  }

  /** Select again what is visible of the selection, if rows have changed under it. */
  #restore(): void {
    const selection = getSelection();
    const { lines } = this.view;
    if (!this.range || !selection || !lines.length) return;
    const [from, to] = [this.#point(this.#from!, lines), this.#point(this.#to!, lines)];
    if (!from || !to) return;
    const same = selection.anchorNode === from[0] && selection.anchorOffset === from[1];
    if (same && selection.focusNode === to[0] && selection.focusOffset === to[1]) return;
    selection.setBaseAndExtent(...from, ...to);
    this.#restored = place(selection);
  }

  #point({ line, column, start }: Caret, lines: readonly number[]): [Node, number] | null {
    const [first, last] = [lines[0]!, lines.at(-1)!];
    let near = line < first ? first : line > last ? last : line;
    let row = this.view.row(near);
    if (!row) row = this.view.row((near = lines.findLast((shown) => shown < line)!)); // it is folded away
    if (!row) return null;
    const before = line < near || (line === near && start < row.start);
    const behind = line > near || (line === near && start > row.start);
    return spot(row.text, before ? 0 : behind ? Infinity : column);
  }
}

/** How far a place is outside of an interval. */
function beyond(place: number, low: number, high: number): number {
  return place < low ? place - low : place >= high ? place - high + 1 : 0;
}

function place({ anchorNode, anchorOffset, focusNode, focusOffset }: Selection): string {
  const name = (node: Node | null) => node?.parentElement?.closest<HTMLElement>(".row")?.dataset["line"];
  return [name(anchorNode), anchorOffset, name(focusNode), focusOffset].join();
}
