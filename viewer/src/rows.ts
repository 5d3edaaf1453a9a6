/**
 * Lines as elements. A log's bytes reach the page here and only here: as text nodes, through a parser that knows colours and
 * little else, and as the addresses of links to http, https and mailto.
 */

import { BOLD, CONCEAL, DIM, INVERSE, ITALIC, type Run, STRIKE, type Style, UNDERLINE } from "./ansi.js";
import { type Group } from "./api.js";
import type { Charset } from "./charset.js";
import { paint } from "./colours.js";
import { contentOf, MOST, type Slice } from "./content.js";
import type { Line } from "./store.js";

/** There may be a time before it. */
const END = /^[\d:.TZ -]*(?:##\[|::)endgroup/;

export const FLAGS: readonly (readonly [number, string])[] = [
  [BOLD, "bold"],
  [ITALIC, "italic"],
  [UNDERLINE, "underline"],
  [CONCEAL, "conceal"],
  [STRIKE, "strike"],
];

/** Knows what lines mean. */
export interface Meanings {
  /** Another number: lines may be shown in another way. */
  readonly version: number;
  /** Whether a line is not shown. */
  hides(line: Line | undefined): boolean;
  /** What is shown of a line that means more than it says, and what it is; "mask": nothing else of it may be shown. `isPart`: `runs` are not its beginning. */
  nodes(line: Line, runs: Run[], isPart: boolean, spans: number, dark: boolean): { readonly level: string; readonly nodes: Node[] } | null;
  /** The text of a line as it is shown; null: it is not shown. */
  text(runs: readonly Run[], at: number): string | null;
  /** Rows that a line takes more than one, where long lines are not wrapped. */
  more(line: Line): number;
  /** Show all fields of a structured line, or fold it. False: it is none. */
  toggle(line: Line | undefined): boolean;
  /** Something in a line was clicked. True: that is all there is to do. */
  click(target: Element, line: Line | undefined): boolean;
}

/** How a line is shown. */
export interface Look {
  readonly numbered: boolean;
  /** Elements that its text may have. */
  readonly spans: number;
  readonly charset: Charset;
  readonly slice: Slice | undefined;
  readonly group: Group | undefined;
  readonly folded: boolean;
  /** How long the group has taken, in words. */
  readonly took: string;
  /** How deep it is in nested groups. */
  readonly level: number;
  /** Seconds of silence in front of it, and within it. */
  readonly above: number;
  readonly below: number;
  readonly time: Time | null;
  readonly dark: boolean;
  readonly meanings: Meanings | null;
  /** Whether it is shown as it is in the log, whatever it means. */
  readonly raw: boolean;
}

/** What is shown beside a line: text, and what a mouse over it says. */
export interface Time {
  readonly text: string;
  readonly title: string;
}

export class Row {
  readonly element = make("div", "row");
  readonly number = make("a", "number");
  readonly text = make("span", "text");
  readonly #time = make("span", "time");
  #key = "";
  /** How many elements it might have had, if it would have had more. */
  #cut = Infinity;
  /** Whether more of the line follows. */
  #goesOn = false;
  line = 0;
  /** The byte of the line at which what is shown begins. */
  start = 0;

  constructor() {
    this.element.setAttribute("role", "listitem");
    this.number.tabIndex = -1;
    this.element.append(this.number, this.text);
  }

  show(number: number, line: Line | undefined, look: Look): void {
    const { charset, group, folded, numbered, slice, spans, took, level, above, below, time, dark, meanings } = look;
    this.line = number;
    const key = [number, line?.at, line?.length, numbered, charset.label, slice?.start, slice?.stop, group && String(group.end), folded, took, level, above, below, time?.text, dark, meanings?.version, look.raw].join(" ");
    if (key === this.#key && spans <= this.#cut) return;
    this.#key = key;
    this.#cut = Infinity;
    this.element.dataset["line"] = String(number);
    this.element.setAttribute("aria-posinset", String(numbered ? number : 0));
    this.number.textContent = numbered ? String(number) : "·";
    this.number.toggleAttribute("href", numbered);
    if (numbered) this.number.setAttribute("href", `#L${number}`);
    if (time === null) this.#time.remove();
    else {
      this.#time.textContent = time.text;
      this.#time.title = time.title;
      this.number.after(this.#time);
    }
    silent(this.element, "above", above);
    silent(this.element, "below", below);
    this.text.style.setProperty("--level", String(level));
    this.element.classList.toggle("loading", line === undefined);
    this.element.classList.toggle("group", group !== undefined);
    this.start = slice?.start ?? 0;
    delete this.element.dataset["means"];
    if (line === undefined) return this.text.replaceChildren();
    const content = contentOf(line, charset, slice);
    const { runs } = content;
    const meant = meanings?.nodes(line, runs, this.start > 0, spans, dark);
    if (meant) this.element.dataset["means"] = meant.level;
    const { before, behind } = meant?.level === "mask" ? { before: 0, behind: 0 } : content;
    this.element.classList.toggle("muted", END.test(runs[0]?.text ?? ""));
    this.#goesOn = behind > 0;
    const nodes: Node[] = meant?.nodes ?? elements(runs, spans, dark);
    if (!meant && nodes.length < runs.length) this.#cut = spans;
    if (group && group.end !== number) nodes.unshift(foldButton(folded, group));
    if (before > 0) nodes.unshift(button("less", `show from the beginning (${bytes(before)})`));
    if (took) nodes.push(said("span", "seconds took", took));
    if (behind > 0 && (!slice || slice.stop - slice.start < MOST)) nodes.push(button("more", `show more (${bytes(behind)})`));
    else if (behind > 0) nodes.push(said("span", "seconds", ` … ${bytes(behind)} more: download the log to read them`));
    this.text.replaceChildren(...nodes);
  }

  /** Characters of the line's text in front of a place in what is shown of it; more than there are at its end, if that is not shown. */
  column(place: number): number {
    const { length } = this.text.textContent!;
    return place >= length && this.#goesOn ? Number.MAX_SAFE_INTEGER : Math.min(place, length);
  }

  get spans(): number {
    return this.text.childElementCount;
  }
}

/** A gap, which the style shows in a row of its own: above the line's text or below it. */
function silent({ dataset }: HTMLElement, where: "above" | "below", seconds: number): void {
  if (seconds) dataset[where] = `${duration(seconds)} without output`;
  else delete dataset[where];
}

function foldButton(folded: boolean, group: Group): HTMLElement {
  const fold = button("fold", folded ? "▸" : "▾");
  fold.setAttribute("aria-expanded", String(!folded));
  fold.setAttribute("aria-label", `${folded ? "Unfold" : "Fold"} ${group.title}`);
  return fold;
}

export function button(name: string, text: string): HTMLElement {
  const element = said("button", name, text);
  element.setAttribute("aria-label", text);
  element.tabIndex = -1;
  return element;
}

/** What the page itself says in a line. It is shown by the style: the text of a row is the log's, whoever copies or reads it. */
function said<K extends keyof HTMLElementTagNameMap>(tag: K, name: string, text: string): HTMLElementTagNameMap[K] {
  const element = make(tag, `${name} said`);
  element.dataset["said"] = text;
  return element;
}

/** Text nodes, and elements for what has a style: at most `spans`; what is beyond has none, and is one node. */
export function elements(runs: readonly Run[], spans: number, dark: boolean): Node[] {
  const nodes: Node[] = [];
  for (const [at, run] of runs.entries()) {
    const plain = run.href === "" && run.style.flags === 0 && run.style.fg === -1 && run.style.bg === -1;
    if (plain) nodes.push(document.createTextNode(run.text));
    else if (spans-- > 0) nodes.push(styled(run, dark));
    else {
      nodes.push(document.createTextNode(runs.slice(at).map(({ text }) => text).join("")));
      break;
    }
  }
  return nodes;
}

function styled({ text, style, href }: Run, dark: boolean): HTMLElement {
  const element = make(href ? "a" : "span", "", text);
  for (const [flag, name] of FLAGS) if (style.flags & flag) element.classList.add(name);
  colour(element, style, dark);
  if (href) {
    element.setAttribute("href", href);
    element.setAttribute("rel", "noopener noreferrer");
    element.setAttribute("target", "_blank");
    element.title = href;
  }
  return element;
}

/** What has no colour of its own has the page's; a link has its own. */
function colour({ style }: HTMLElement, look: Style, dark: boolean): void {
  if (look.fg < 0 && look.bg < 0 && !(look.flags & (INVERSE | DIM))) return;
  const { fg, bg } = paint(look, dark);
  style.color = `rgb(${fg})`;
  if (bg) style.backgroundColor = `rgb(${bg})`;
}

/** Where character `column` of an element's text is; the end of it, if there are not so many. */
export function spot(element: Node, column: number): [Node, number] {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let node = element;
  while (walker.nextNode()) {
    node = walker.currentNode;
    if (column <= node.nodeValue!.length) return [node, column];
    column -= node.nodeValue!.length;
  }
  return [node, node.nodeValue?.length ?? 0];
}

/** A part of the text of a row: from one character to another. */
export function range(row: Row, [from, to]: readonly [number, number]): Range {
  const range = document.createRange();
  range.setStart(...spot(row.text, from));
  range.setEnd(...spot(row.text, to));
  return range;
}

export function make<K extends keyof HTMLElementTagNameMap>(tag: K, name: string, text = ""): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

/** `1536` as `1.5 KB`. */
export function bytes(count: number): string {
  let unit = 0;
  while (count >= 999.5 && unit < 4) {
    count /= 1000;
    unit++;
  }
  return `${unit && count < 99.5 ? count.toFixed(1) : Math.round(count)} ${["B", "KB", "MB", "GB", "TB"][unit]}`;
}

/** `75` as `1m 15s`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${Math.floor(seconds % 60)}s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86400)}d ${Math.floor((seconds % 86400) / 3600)}h`;
}
