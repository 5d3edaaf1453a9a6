/** What the user does to find something: the search bar, going from hit to hit. */

import type { Address } from "./address.js";
import type { Api } from "./api.js";
import { element } from "./dom.js";
import type { Log } from "./log.js";
import { highlight } from "./hits.js";
import type { Row } from "./rows.js";
import { Revealing } from "./revealing.js";
import { type Query, Search } from "./search.js";
import type { View } from "./view.js";

/** Milliseconds without a key after which a search begins. */
const TYPED = 250;

export class Finder {
  readonly search: Search;
  /** Whether the search bar is there. */
  isOpen = false;
  #typing: ReturnType<typeof setTimeout> | undefined;

  /** `show` puts the search bar on the page. */
  constructor(
    api: Api,
    private readonly log: Log,
    private readonly view: View,
    private readonly address: Address,
    private readonly show: () => void,
    redraw: () => void,
  ) {
    this.search = new Search(api, redraw);
    view.hits = new Revealing(view, log);
  }

  /** The page is shown anew: search what has come, mark what is visible. */
  look(): void {
    void this.search.more(this.log.store.size);
  }

  highlight(rows: readonly Row[]): void {
    highlight(rows, this.search, this.view);
  }

  get #input(): HTMLInputElement {
    return element("search").querySelector("input")!;
  }

  get text(): string {
    return this.#input.value;
  }

  open(focus: boolean, text?: string): void {
    this.isOpen = true;
    element("search").hidden = false;
    this.show();
    if (text !== undefined) this.#input.value = text;
    if (focus) this.#input.select();
    if (focus) this.#input.focus();
  }

  close(): void {
    clearTimeout(this.#typing);
    this.isOpen = false;
    element("search").hidden = true;
    this.search.clear();
    this.address.remember("");
    element("surface").focus();
  }

  typed(): void {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.find({ ...this.search.query, text: this.text }), TYPED);
  }

  key(event: KeyboardEvent): void {
    if (event.key === "Escape") this.close();
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (this.text !== this.search.query.text) this.find({ ...this.search.query, text: this.text });
    else this.hop(!event.shiftKey);
  }

  /** Search, and go to the first hit; `stay`: where the page is. */
  find(query: Query, stay = false): void {
    clearTimeout(this.#typing);
    this.address.remember(query.text, query);
    void this.search.run(query, this.log.store.size, () => stay || this.hop(false));
  }

  /** Go to the next hit, or the one before. */
  hop(down: boolean): void {
    const lines = this.view.lines;
    const found = this.search.hop(down, (down ? lines[0] : lines.at(-1)) ?? 1, (one) => this.view.hits!.shows(one));
    if (found) this.view.toHit(found);
    else if (!this.search.active) this.open(true);
  }
}
