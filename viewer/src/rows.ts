/**
 * Lines as elements. A log's bytes reach the page here and only here: as text nodes, through a parser that knows colours and
 * little else, and as the addresses of links to http, https and mailto.
 */

import { BOLD, CONCEAL, DIM, INVERSE, ITALIC, parse, rgb, type Run, STRIKE, type Style, UNDERLINE } from "./ansi.js";
import { type Group } from "./api.js";
import { KEPT, type Line, textOf } from "./store.js";

/** Characters that are shown of a line at first, and how much more each time. */
export const SHOWN = 4096;
export const MORE = 8;
export const MOST = SHOWN * MORE ** 3;

const MARKER = /##\[group\]|::group::/;
/** There may be a time before it. */
const END = /^[\d:.TZ -]*(?:##\[|::)endgroup/;

const ADDRESS = /(\bhttps?:\/\/[^\s"'<>`]*[^\s"'<>`.,:;!?)\]}])/;

export const FLAGS: readonly (readonly [number, string])[] = [
  [BOLD, "bold"],
  [DIM, "dim"],
  [ITALIC, "italic"],
  [UNDERLINE, "underline"],
  [CONCEAL, "conceal"],
  [STRIKE, "strike"],
];

/** What is shown of a line. */
export interface Content {
  readonly runs: Run[];
  /** Bytes of it that are not shown, about; 0: all is shown. */
  readonly hidden: number;
}

/** `whole`: more of its bytes than are kept, if somebody has asked for them. */
export function contentOf(line: Line, limit: number, whole: string | undefined): Content {
  const runs = parse(whole ?? textOf(line), line.style).runs.flatMap(linked);
  let room = limit;
  const shown: Run[] = [];
  for (const run of runs) {
    if (room <= 0) break;
    shown.push(run.text.length > room ? { ...run, text: run.text.slice(0, room) } : run);
    room -= run.text.length;
  }
  const known = whole === undefined ? KEPT : limit;
  const cut = room < 0 || (line.length > known && !line.end?.includes(13));
  return { runs: shown, hidden: cut ? line.length - limit : 0 };
}

/** Addresses in text are links, too. */
function linked(run: Run): Run[] {
  if (run.href) return [run];
  return run.text.split(ADDRESS).map((text, at) => ({ ...run, text, href: at % 2 ? text : "" })).filter(({ text }) => text);
}

export class Row {
  readonly element = make("div", "row");
  readonly number = make("a", "number");
  readonly text = make("span", "text");
  readonly #time = make("span", "time");
  #key = "";
  line = 0;

  constructor() {
    this.element.setAttribute("role", "listitem");
    this.number.tabIndex = -1;
    this.element.append(this.number, this.text);
  }

  /** Show a line. `spans`: how many elements its text may have. Returns how many it has. */
  show(
    number: number,
    line: Line | undefined,
    options: { numbered: boolean; spans: number; limit: number; whole: string | undefined; group: Group | undefined; folded: boolean; time: string | null; dark: boolean },
  ): void {
    const { group, folded, numbered, limit, whole, time, dark } = options;
    this.line = number;
    const key = [number, line?.at, line?.length, numbered, limit, whole?.length, group?.end, folded, time, dark].join(" ");
    if (key === this.#key) return;
    this.#key = key;
    this.element.dataset["line"] = String(number);
    this.element.setAttribute("aria-posinset", String(numbered ? number : 0));
    this.number.textContent = numbered ? String(number) : "·";
    this.number.toggleAttribute("href", numbered);
    if (numbered) this.number.setAttribute("href", `#L${number}`);
    if (time === null) this.#time.remove();
    else {
      this.#time.textContent = time;
      this.number.after(this.#time);
    }
    this.element.classList.toggle("loading", line === undefined);
    this.element.classList.toggle("group", group !== undefined);
    if (line === undefined) return this.text.replaceChildren("…");
    const { runs, hidden } = contentOf(line, limit, whole);
    this.element.classList.toggle("muted", END.test(runs[0]?.text ?? ""));
    if (group && runs[0]) runs[0].text = runs[0].text.replace(MARKER, "");
    const nodes: Node[] = paint(runs, options.spans, dark);
    if (group && group.end !== number) nodes.unshift(foldButton(folded, group));
    if (group?.seconds != null) nodes.push(make("span", "seconds", duration(group.seconds)));
    if (hidden > 0 && limit < MOST) nodes.push(moreButton(hidden));
    else if (hidden > 0) nodes.push(make("span", "seconds", ` … ${bytes(hidden)} more: download the log to read them`));
    this.text.replaceChildren(...nodes);
  }

  get spans(): number {
    return this.text.childElementCount;
  }
}

function foldButton(folded: boolean, group: Group): HTMLElement {
  const button = make("button", "fold", folded ? "▸" : "▾");
  button.setAttribute("aria-expanded", String(!folded));
  button.setAttribute("aria-label", `${folded ? "Unfold" : "Fold"} ${group.title}`);
  button.tabIndex = -1;
  return button;
}

function moreButton(hidden: number): HTMLElement {
  const button = make("button", "more", `show more (${bytes(hidden)})`);
  button.tabIndex = -1;
  return button;
}

/** Text nodes, and elements for what has a style: at most `spans`; what is beyond has none. */
export function paint(runs: readonly Run[], spans: number, dark: boolean): Node[] {
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
    element.tabIndex = -1;
  }
  return element;
}

/**
 * The first 16 colours are the theme's: as they are for text, a tint of them behind it. Inverse text is as the page's ground
 * on the colour itself, and so is black or white on a colour, as badges are.
 */
function colour(element: HTMLElement, { fg, bg, flags }: Style, dark: boolean): void {
  const inverse = (flags & INVERSE) !== 0;
  if (inverse) [fg, bg] = [bg, fg];
  const stark = [0, 7, 15].includes(fg);
  const swap = inverse || (stark && bg > 0 && bg < 16 && ![7, 8, 15].includes(bg));
  const { style } = element;
  const foreign = bg >= 16;
  if (foreign) {
    style.backgroundColor = `rgb(${rgb(bg)})`;
    style.colorScheme = relative(rgb(bg)) > 0.18 ? "light" : "dark"; // the theme's colours as they can be read on this one
  } else if (bg >= 0) style.backgroundColor = swap ? `var(--c${bg})` : `color-mix(in srgb, var(--c${bg}) 20%, var(--back))`;
  else if (swap) style.backgroundColor = "var(--text)";
  if (swap && !foreign) style.color = "var(--back)";
  else if (fg >= 16) style.color = foreign ? `rgb(${rgb(fg)})` : readable(fg, dark);
  else if (foreign && stark) style.color = fg ? "#fff" : "#000";
  else if (fg >= 0 || foreign) style.color = `var(--${fg < 0 ? "text" : `c${fg}`})`;
}

/** A colour in which text can be read on the theme's ground: as it is, or nearer to black or white. */
function readable(fg: number, dark: boolean): string {
  let parts = rgb(fg);
  const ground = dark ? 0.012 : 1;
  for (let step = 0; step < 12 && contrast(relative(parts), ground) < 4.5; step++) {
    parts = parts.map((part) => part + ((dark ? 255 : 0) - part) * 0.15);
  }
  return `rgb(${parts.map(Math.round)})`;
}

/** Relative luminance, and the ratio of two, as WCAG has them. */
function relative(rgb: readonly number[]): number {
  const [red, green, blue] = rgb.map((part) => (part <= 10 ? part / 3294 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(one: number, other: number): number {
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
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
