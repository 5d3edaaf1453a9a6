/** Hints for those who use the page for the first time. A browser shows each of them once, for some seconds, one at a time. */

import type { Page } from "./chrome.js";

interface Hint {
  readonly name: string;
  /** What it says to those with a keyboard. */
  readonly text: string;
  /** What it says to those without one; none: it is not shown to them. */
  readonly touch?: string;
  readonly label: string;
  fits(page: Page): boolean;
}

/** The first one that fits is shown. */
const HINTS: readonly Hint[] = [
  { name: "mark", text: "The address leads to this line. Shift-click another number to mark all lines between", touch: "The address leads to this line. Link copies it", label: "OK",
    fits: (page) => page.view.marked !== null },
  { name: "search", text: "Enter and n go to the next match, Shift-Enter and N to the one before", label: "OK",
    fits: (page) => (page.finder?.search.hits.length ?? 0) > 1 },
  { name: "paused", text: "The view stays here while lines come. End follows them again", touch: "The view stays here while lines come. Live follows them again", label: "OK",
    fits: (page) => !page.view.following && !page.log.ended },
  { name: "keys", text: "There are keys for everything: ? lists them", touch: "All else is in the menu", label: "Show", fits: (page) => page.log.store.size > 0 },
];

const NAME = "livelog hints";

/** Milliseconds for which the page is left alone: before the first hint, and after each. */
const REST = 5000;

export class Hints {
  readonly #seen: Set<string>;
  #next = Date.now() + REST;

  constructor(private readonly page: Page) {
    this.#seen = new Set(read());
  }

  /** Show a hint, if there is one for what is on the page. */
  look(): void {
    if (this.#seen.size === HINTS.length || document.hidden) return;
    if (this.page.notices.current || document.querySelector("dialog[open]")) this.#next = Date.now() + REST;
    if (Date.now() < this.#next) return;
    const touch = matchMedia("(hover: none)").matches;
    const hint = HINTS.find((each) => !this.#seen.has(each.name) && (touch ? each.touch : each.text) && each.fits(this.page));
    if (!hint) return;
    this.#seen.add(hint.name);
    // Where nothing can be kept, a hint would come each time.
    if (write([...this.#seen])) this.page.notices.tell((touch && hint.touch) || hint.text, hint.label, () => hint.name === "keys" && this.page.act("help"));
  }
}

function read(): readonly string[] {
  try {
    return localStorage.getItem(NAME)?.split(" ") ?? [];
  } catch {
    return [];
  }
}

function write(names: readonly string[]): boolean {
  try {
    localStorage.setItem(NAME, names.join(" "));
    return true;
  } catch {
    return false;
  }
}
