/** What the user does to find something in all logs: the search bar, and going from match to match. */

import { html, render } from "lit-html";
import { clock } from "../clock.js";
import { element } from "../dom.js";
import { drawn, icon } from "../icons.js";
import { UP } from "../moreicons.js";
import type { Query } from "../search.js";
import { Finder, type Hit } from "./finder.js";
import type { Place, Way } from "./heads.js";
import type { Source } from "./source.js";

/** Milliseconds without a key after which a search begins. */
const TYPED = 250;

/** What the search is done in. */
export interface Around {
  title(source: Source): string;
  /** Where a search begins; null: at the end, or at the beginning. */
  start(way: Way): Place | null;
  reveal(hit: Hit): void;
  /** Have the keyboard back. */
  focus(): void;
  /** Have the search in the address. */
  remember(): void;
  readonly redraw: () => void;
}

export class SearchBar {
  readonly finder: Finder;
  isOpen = false;
  readonly #bar = element("search");
  #typing: ReturnType<typeof setTimeout> | undefined;

  constructor(sources: readonly Source[], private readonly around: Around) {
    this.finder = new Finder(sources, around.redraw);
  }

  /** Begin with the search that an address names. */
  begin(search: string): void {
    const asked = new URLSearchParams(search);
    const text = asked.get("q");
    if (!text) return;
    this.open();
    this.#input.value = text;
    this.#find({ text, matchCase: asked.has("case"), regex: asked.has("regex") });
  }

  /** What of an address names the search. */
  get suffix(): string {
    const { text, matchCase, regex } = this.finder.query;
    if (!text) return "";
    return `&${new URLSearchParams({ q: text, ...(matchCase && { case: "1" }), ...(regex && { regex: "1" }) })}`;
  }

  get #input(): HTMLInputElement {
    return this.#bar.querySelector("input")!;
  }

  open(): void {
    this.#bar.hidden = false;
    this.isOpen = true;
    this.show();
    this.#input.focus();
    this.#input.select();
    this.around.redraw();
  }

  close(): void {
    this.#bar.hidden = true;
    this.isOpen = false;
    this.around.focus();
    if (this.finder.isActive) this.#find({ ...this.finder.query, text: "" });
    clearTimeout(this.#typing);
    this.around.redraw();
  }

  /** Go to the next match, or the one before. */
  hop(way: Way): void {
    if (!this.finder.isActive) return this.open();
    void this.finder.go(way, this.around.start(way)).then((hit) => hit && this.around.reveal(hit));
  }

  show(): void {
    if (!this.isOpen) return;
    const { query, current, summary, isSearching } = this.finder;
    const toggle = (text: string, label: string, on: boolean, change: Partial<Query>) => html`<button class="square text" title=${label}
      aria-label=${label} aria-pressed=${on} @click=${() => this.#find({ ...query, ...change, text: this.#input.value })}>${text}</button>`;
    render(html`<input type="text" aria-label="Search in all logs" placeholder="Search in all logs" spellcheck="false"
        autocomplete="off" autocapitalize="off" enterkeyhint="search" @keydown=${(event: KeyboardEvent) => this.#key(event)} @input=${() => this.#typed()}>
      ${toggle("Aa", "Match case", query.matchCase, { matchCase: !query.matchCase })}
      ${toggle(".*", "Regular expression", query.regex, { regex: !query.regex })}
      <button class="square" title="Match before" aria-label="Match before" @click=${() => this.hop(-1)}>${drawn(UP)}</button>
      <button class="square" title="Next match" aria-label="Next match" @click=${() => this.hop(1)}>${icon("down")}</button>
      <button class=${isSearching ? "" : "idle"} @click=${() => this.finder.stop()}>Stop</button>
      <span class="count" role="status">${summary || (current ? `${this.around.title(current.source)}, ${clock(current.time)}` : "")}</span>
      <button class="square" title="Close search" aria-label="Close search" @click=${() => this.close()}>${icon("close")}</button>`, this.#bar);
  }

  #typed(): void {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#find({ ...this.finder.query, text: this.#input.value }), TYPED);
  }

  #key(event: KeyboardEvent): void {
    if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") return this.close();
    clearTimeout(this.#typing);
    const text = this.#input.value;
    if (text !== this.finder.query.text) this.#find({ ...this.finder.query, text });
    else this.hop(event.shiftKey ? -1 : 1);
  }

  /** Search for something, and go to the match that is nearest to what is looked at, upwards. */
  #find(query: Query): void {
    clearTimeout(this.#typing);
    this.finder.begin(query);
    this.around.remember();
    if (query.text) this.hop(-1);
  }
}
