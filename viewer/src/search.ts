/**
 * Searching the whole log, on the server: from its end backwards, so that what is new is found first.
 *
 * Of the hits their lines are kept, and of some where in them they are: what of them is visible is marked.
 */

import { type Api, type Found, reasonOf, Refused } from "./api.js";
import { count } from "./state.js";

export interface Query {
  readonly text: string;
  readonly matchCase: boolean;
  readonly regex: boolean;
  /** Whether only lines that match are shown; those that do not, if `invert`; and so many lines around each. */
  readonly only?: boolean;
  readonly invert?: boolean;
  readonly context?: number;
}

/** The parameters of a query; `byLine`: for the lines that are shown, not for what is found. */
export function asked({ text, matchCase, regex, invert, context }: Query, byLine: boolean): Record<string, string> {
  return { q: text, ...(matchCase && { case: "1" }), ...(regex && { regex: "1" }), ...(byLine && { lines: "1", ...(invert && { invert: "1" }), ...(context && { context: String(context) }) }) };
}

/** Hits that are kept; beyond them, they are only counted. */
const MOST = 200_000;
/** Hits of which it is kept where they are. */
const PLACES = 50_000;
/** Milliseconds from one look at what has come to the next. */
const PAUSE = 3000;
/** Bytes that are searched again, because a hit may begin in them and end in what has come. */
const AGAIN = 4096;

export class Search {
  query: Query = { text: "", matchCase: false, regex: false };
  /** Lines with hits, the last one first. */
  hits: number[] = [];
  count = 0;
  /** Where the hits of a line are, in its order. */
  places = new Map<number, Found[]>();
  #placed = 0;
  /** How much has been searched, from 0 to 1; null: nothing is going on. */
  progress: number | null = null;
  error = "";
  /** The line of the hit that is looked at, and the hit itself. */
  current: number | null = null;
  #found: Found | undefined;

  #aborter = new AbortController();
  /** So many bytes of the log have all been searched. */
  #searched = 0;
  /** When what has come since was looked at; milliseconds since the epoch. */
  #looked = 0;

  constructor(
    private readonly api: Api,
    private readonly redraw: () => void,
  ) {}

  get active(): boolean {
    return this.query.text !== "";
  }

  stop(): void {
    this.#aborter.abort();
    this.progress = null;
    this.redraw();
  }

  clear(): void {
    this.stop();
    this.#aborter = new AbortController();
    this.#searched = this.#placed = 0;
    this.places = new Map();
    Object.assign(this, { query: { ...this.query, text: "" }, hits: [], count: 0, current: null, error: "" });
  }

  /** Search a log of at least `size` bytes. `found` is called when the first hit has come. */
  async run(query: Query, size: number, found: () => void): Promise<void> {
    this.clear();
    this.query = query;
    if (!query.text) return;
    const { signal } = this.#aborter;
    this.progress = 0;
    let last = 0;
    const hit = (one: Found) => {
      const line = one.line!;
      this.#keep(one, true);
      this.progress = Math.max(this.progress ?? 0, 1 - one.offset! / size);
      if (line === last) return;
      last = line;
      if (this.hits.length < MOST) this.hits.push(line);
      if (++this.count === 1) found();
    };
    try {
      await this.#read("back", size, "", signal, hit);
      if (signal.aborted) return;
      this.#searched = size;
    } catch (error) {
      if (signal.aborted) return;
      this.error = reasonOf(error);
    }
    this.progress = null;
    this.redraw();
  }

  /** Search what has come since, now and then. The log has at least `size` bytes by now. */
  async more(size: number): Promise<void> {
    if (!this.#searched || size <= this.#searched || Date.now() - this.#looked < PAUSE) return;
    this.#looked = Infinity;
    let last = this.hits[0] ?? 0;
    const newest = last;
    const hit = (found: Found) => {
      const line = found.line!;
      if (line > newest) this.#keep(found, false);
      if (line <= last) return;
      last = line;
      this.hits.unshift(line);
      this.count++;
    };
    const { signal } = this.#aborter;
    try {
      await this.#read("forward", size, String(Math.max(0, this.#searched - AGAIN)), signal, hit);
      if (!signal.aborted) this.#searched = size;
    } catch {
      // it is looked at again
    }
    this.#looked = Date.now();
  }

  #keep({ line, offset, length }: Found, back: boolean): void {
    if (this.#placed++ >= PLACES) return;
    const found = { line: line!, offset: offset!, length: length! };
    const places = this.places.get(found.line);
    if (!places) this.places.set(found.line, [found]);
    else if (back) places.unshift(found);
    else places.push(found);
  }

  async #read(dir: string, size: number, from: string, signal: AbortSignal, hit: (found: Found) => void): Promise<void> {
    for (;;) {
      const query = { ...asked(this.query, false), dir, limit: "10000", numbers: "1", ...(from && { from }) };
      let done = false;
      for await (const event of this.api.search(query, signal)) {
        if (event.line) hit(event);
        else if (event.error) throw new Refused(0, event.error, null);
        else if (event.done) [done, from] = [true, String(event.next ?? "")];
        // What is left of this part is left of all.
        else if (this.progress !== null) this.progress = Math.max(this.progress, 1 - (event.of! - event.scanned!) / size || 0);
        this.redraw();
      }
      if (!done) throw new TypeError();
      if (!from) return;
    }
  }

  /**
   * The hit after the current one, or before it; the nearest one to `line` at first. It goes round. Of those in one line the ones
   * that are `seen` are passed over.
   */
  hop(down: boolean, line: number, seen: (found: Found) => boolean): Found | null {
    const { hits } = this;
    if (!hits.length) return null;
    const beside = this.places.get(this.current ?? 0) ?? [];
    for (let at = beside.indexOf(this.#found!) + (down ? 1 : -1); this.#found && beside[at]; at += down ? 1 : -1) {
      if (!seen(beside[at]!)) return (this.#found = beside[at]!);
    }
    const from = this.current ?? (down ? line - 1 : line + 1);
    const lower = hits.findIndex((hit) => hit < from); // the first one above
    const higher = hits.findLastIndex((hit) => hit > from);
    const at = down ? (higher < 0 ? hits.length - 1 : higher) : lower < 0 ? 0 : lower;
    this.current = hits[at]!;
    this.#found = this.places.get(this.current)?.at(down ? 0 : -1);
    return this.#found ?? { line: this.current };
  }

  /** "3 of 17", "312+, 41 % searched". At first lines may have to be counted. */
  get summary(): string {
    if (this.error) return this.error;
    const total = count(this.count);
    if (this.progress === 0) return "searching";
    if (this.progress !== null) return `${total}+ lines, ${Math.floor(this.progress * 100)} % searched`;
    if (!this.count) return "no line";
    const at = this.hits.indexOf(this.current!);
    const place = at < 0 ? "" : `${count(this.count - at)} of `;
    return `${place}${total} ${this.count === 1 ? "line" : "lines"}`;
  }
}
