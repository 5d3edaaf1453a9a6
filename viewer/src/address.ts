/** The page's address: which lines and which search it names, the token that must not stay in it, and the way back. */

import type { Api } from "./api.js";
import * as fragment from "./fragment.js";
import type { Log } from "./log.js";
import type { Notices } from "./notices.js";
import type { Anchor } from "./scroller.js";
import type { Query } from "./search.js";
import { count } from "./state.js";
import type { View } from "./view.js";

/** Where the view was: the browser keeps it for each entry in the history, and for each log when its page is left. */
export interface Entry {
  readonly anchor?: Anchor;
  readonly following?: boolean;
}

/** Lines of context that an address can ask for. */
const MOST_CONTEXT = 100;

export class Address {
  /** Where the address says to go, until the view is there. */
  #place: fragment.Fragment = fragment.read(location.hash);
  /** Whether the page was loaded anew, or come back to (see `leaving`), and is not yet where it was left. */
  #again = history.state !== null;
  /** Whether it is where it was left. */
  again = false;
  #page: string;

  constructor(
    private readonly api: Api,
    private readonly log: Log,
    private readonly view: View,
    private readonly notices: Notices,
    private readonly redraw: () => void,
  ) {
    this.#page = api.page;
    this.#takeToken();
    view.following = this.#place.lines === null && this.#place.byte === null;
    addEventListener("popstate", (event) => this.#back(event.state as Entry | null));
  }

  /** The search that the address names. */
  get query(): Query | null {
    const asked = new URLSearchParams(location.search);
    const text = asked.get("q");
    const has = (name: string) => !/^(|0)$/.test(asked.get(name) ?? "");
    return text ? { text, matchCase: has("case"), regex: has("regex"), only: has("only"), invert: has("invert"), context: Math.max(0, Math.min(MOST_CONTEXT, Math.floor(Number(asked.get("context"))))) || 0 } : null;
  }

  /** Go to where the page was left, or where the address says, as soon as there is such a place. */
  arrive(): void {
    this.#rename();
    const { lines, byte } = this.#place;
    const { store, generation } = this.log;
    if (!store.numbered || !generation) return;
    const isNamed = lines || byte !== null;
    const left = this.#again && (isNamed || this.view.following) ? (JSON.parse(sessionStorage.getItem(generation) ?? "null") as Entry | null) : null;
    this.#again = false;
    if (!isNamed && !left) return;
    this.#place = { ...this.#place, lines: null, byte: null };
    this.view.seen = store.last;
    if (left) {
      this.again = true;
      this.view.marked = lines;
      this.#return(left);
    } else if (lines) {
      this.view.marked = lines;
      this.missing(lines.from);
      // Who has pressed a key meanwhile is where that leads.
      if (!this.view.moved) this.view.toLine(Math.min(lines.from + Math.floor((lines.to - lines.from) / 2), lines.from + Math.floor(this.view.page / 2)));
    } else {
      void this.api.lines({ at: String(byte), count: "1" }).then(({ first }) => first && this.view.toLine(first), () => {});
    }
  }

  /** Say that there is no such line, if there is none. */
  missing(line: number): void {
    const { ended, store: { last } } = this.log;
    if (line > last) this.notices.tell(`There is no line ${count(line)}: the log has ${count(last)}${ended ? "" : " so far"}`);
  }

  /** Mark lines, and put them into the address; going back undoes it. */
  mark(lines: fragment.Lines | null): void {
    if (!this.log.store.numbered) return;
    this.view.pause();
    if (lines === null && this.view.marked === null) return;
    const { anchor, following } = this.view;
    history.replaceState({ anchor, following }, "");
    history.pushState({ anchor, following: false }, "", fragment.write(lines) || location.pathname + location.search);
    this.view.marked = lines;
    this.redraw();
  }

  /** Mark lines that were gone to; there is nothing to go back to. */
  note(lines: fragment.Lines): void {
    this.view.marked = lines;
    history.replaceState(history.state, "", fragment.write(lines));
  }

  /** Have the search in the address: it is no secret, and can be shared. */
  remember(text: string, query?: Query): void {
    const { matchCase, regex, only, invert, context } = query ?? {};
    const asked = new URLSearchParams({
      ...this.api.which, ...(text && { q: text }), ...(matchCase && { case: "1" }), ...(regex && { regex: "1" }),
      ...(only && { only: "1", ...(context && { context: String(context) }), ...(invert && { invert: "1" }) }),
    });
    const search = asked.size ? `?${asked}` : "";
    if (search !== location.search) history.replaceState(history.state, "", location.pathname + search + location.hash);
  }

  /** The address of what is looked at: of the marked lines, of `line` where the view does not follow. */
  link(line: number): string {
    const url = new URL(location.href);
    if (this.api.replaced) url.searchParams.set("generation", this.log.generation); // without it, a link is to the newest
    if (!this.view.marked && this.log.store.numbered && !this.view.following) url.hash = `L${line}`;
    return url.href;
  }

  #back(entry: Entry | null): void {
    this.#takeToken();
    const { lines, byte } = fragment.read(location.hash);
    this.view.marked = lines;
    if (entry?.anchor) this.#return(entry);
    else if (lines || byte !== null) {
      this.view.following = this.view.moved = false;
      this.#place = { lines, byte, token: null };
    }
    this.redraw();
  }

  #return({ anchor, following }: Entry): void {
    this.view.anchor = anchor!;
    this.view.following = following ?? false;
  }

  /** A token that turned out to open nothing does not stay in the address. */
  #rename(): void {
    const { page } = this.api;
    if (page === this.#page) return;
    this.#page = page;
    history.replaceState(history.state, "", page + location.search + location.hash);
  }

  /** A token in the fragment is for this page, and not for whoever looks at the address. */
  #takeToken(): void {
    const { token, lines } = fragment.read(location.hash);
    if (token === null) return;
    this.api.keep(token);
    history.replaceState(history.state, "", fragment.write(lines) || location.pathname + location.search);
  }
}
