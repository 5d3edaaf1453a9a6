/** What the user does to find something: the search bar, going from hit to hit. */

import type { Address } from "./address.js";
import { Filter } from "./filter.js";
import type { Api } from "./api.js";
import { element } from "./dom.js";
import type { Log } from "./log.js";
import { highlight } from "./hits.js";
import type { Row } from "./rows.js";
import { Revealing } from "./revealing.js";
import { asked, type Query, Search } from "./search.js";
import { count } from "./state.js";
import type { Place, View } from "./view.js";

/** Milliseconds without a key after which a search begins. */
const TYPED = 250;

export class Finder {
  readonly search: Search;
  /** Whether the search bar is there. */
  isOpen = false;
  #typing: ReturnType<typeof setTimeout> | undefined;
  /** What lets only lines through that match, and what will, once enough of them are known. */
  #filter: Filter | null = null;
  #next: Filter | null = null;
  /** Where the view was before the user searched. */
  #place: Place | null = null;

  /** `show` puts the search bar on the page; `tell` shows a note, `escape` does what the key does. */
  constructor(
    private readonly api: Api,
    private readonly log: Log,
    private readonly view: View,
    private readonly address: Address,
    private readonly show: () => void,
    private readonly tell: (text: string) => void,
    private readonly escape: () => void,
    private readonly redraw: () => void,
  ) {
    this.search = new Search(api, redraw);
    view.hits = new Revealing(view, log);
  }

  /** The page is shown anew: search what has come, mark what is visible. */
  look(): void {
    void this.search.more(this.log.store.size);
    this.#filter?.look();
    const next = this.#next;
    next?.look();
    if (next?.isReady) this.#turn(next);
  }

  highlight(rows: readonly Row[]): void {
    highlight(rows, this.search, this.view);
    for (const { element, line } of rows) {
      element.classList.toggle("context", this.#filter?.isContext(line) ?? false);
      element.classList.toggle("apart", this.#filter?.isApart(line) ?? false);
    }
  }

  /** The line that is looked at: that of the hit or the marked one, if it is visible, or the first one. */
  get #looked(): number {
    const { lines, marked } = this.view;
    const line = this.search.current ?? marked?.from;
    return line !== undefined && lines.includes(line) ? line : (lines[0] ?? 1);
  }

  /** Show only the lines that a filter lets through; null: all lines. */
  #turn(filter: Filter | null): void {
    if (this.#next !== filter) this.#next?.stop();
    this.#next = null;
    if (this.#filter === filter) return;
    this.#filter?.stop();
    this.#filter = filter;
    this.view.turn(filter ?? this.view.whole, this.#looked);
  }

  /** Show only lines that match from now on, or all again. */
  toggleOnly(): void {
    const { query } = this.search;
    if (!this.isOpen) this.open(true);
    this.find({ ...query, text: this.text, only: !query.only });
  }

  /** The parameters of the lines that are shown, as text for people; null: all are. */
  get only(): Record<string, string> | null {
    return this.#filter && { ...asked(this.#filter.query, true), as: "text", plain: "1" };
  }

  /** What there is to say of the search. */
  get summary(): string {
    const { search } = this;
    const filter = this.#next ?? this.#filter;
    if (!search.active) return "";
    if (filter?.error && !search.error) return filter.error;
    if (this.#next) return search.progress === null ? `${search.summary}, reading` : search.summary;
    if (!filter?.query.invert || search.error) return search.summary;
    if (search.progress !== null) return `${Math.floor(search.progress * 100)} % searched`;
    const rest = this.log.store.last - search.count;
    return rest === 1 ? "1 other line" : `${count(rest)} other lines`;
  }

  get #input(): HTMLInputElement {
    return element("search").querySelector("input")!;
  }

  get text(): string {
    return this.#input.value;
  }

  open(focus: boolean, text?: string): void {
    if (!this.isOpen) this.#place = focus ? this.view.place : null;
    this.isOpen = true;
    element("search").hidden = false;
    this.show();
    if (text !== undefined) this.#input.value = text;
    if (focus) this.#input.select();
    if (focus) this.#input.focus();
  }

  /** End the search; `back`: go back to where it began. */
  close(back = false): void {
    clearTimeout(this.#typing);
    const place = back && this.search.active ? this.#place : null;
    this.isOpen = false;
    element("search").hidden = true;
    this.search.clear();
    this.#turn(null);
    this.search.query = { ...this.search.query, only: false };
    this.address.remember("");
    if (place) this.view.restore(place);
    element("surface").focus();
  }

  typed(): void {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.find({ ...this.search.query, text: this.text }), TYPED);
  }

  key(event: KeyboardEvent): void {
    if (event.key === "Escape") this.escape();
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) return this.toggleOnly();
    if (this.text !== this.search.query.text) this.find({ ...this.search.query, text: this.text });
    else this.hop(!event.shiftKey);
  }

  /** Search, and go to the first hit; `stay`: where the page is. */
  find(query: Query, stay = false): void {
    clearTimeout(this.#typing);
    this.address.remember(query.text, query);
    const { text, matchCase, regex } = this.search.query;
    const isSame = text === query.text && matchCase === query.matchCase && regex === query.regex && this.search.error === "";
    if (isSame) this.search.query = query;
    else void this.search.run(query, this.log.store.size, () => stay || query.only || this.hop(false));
    this.#next?.stop();
    this.#next = null;
    if (!query.only || !query.text) this.#turn(null);
    else {
      const { view } = this;
      const leave = () => {
        this.find({ ...this.search.query, only: false }, true);
        this.tell("All lines are shown again: this one does not match");
      };
      this.#next = new Filter(this.api, this.log, view.whole, query, view.following ? null : this.#looked, () => view.following, leave, this.redraw);
    }
    this.redraw();
  }

  /** Go to the next hit, or the one before. */
  hop(down: boolean): void {
    const lines = this.view.lines;
    const found = this.search.hop(down, (down ? lines[0] : lines.at(-1)) ?? 1, (one) => this.view.hits!.shows(one));
    if (this.#filter?.query.invert) return this.tell("Lines that match are not shown");
    if (found) this.#filter?.expect(found.line!);
    if (found) this.view.toHit(found);
    else if (!this.search.active) this.open(true);
  }
}
