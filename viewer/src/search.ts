/**
 * Searching the whole log, on the server: from its end backwards, so that what is new is found first.
 *
 * Of each hit only the line is kept. What is to be seen of a hit is marked in the rows that are visible.
 */

import { type Api, Refused } from "./api.js";

export interface Query {
  readonly text: string;
  readonly matchCase: boolean;
  readonly regex: boolean;
}

/** Hits that are kept; beyond them, they are only counted. */
const MOST = 200_000;
/** Milliseconds from one look at what has come to the next. */
const PAUSE = 3000;
/** Bytes that are searched again, because a hit may begin in them and end in what has come. */
const AGAIN = 4096;

export class Search {
  query: Query = { text: "", matchCase: false, regex: false };
  /** Lines with hits, the last one first. */
  hits: number[] = [];
  count = 0;
  /** How much has been searched, from 0 to 1; null: nothing is going on. */
  progress: number | null = null;
  error = "";
  /** The hit that is looked at: a line. */
  current: number | null = null;

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
    this.#searched = 0;
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
    const hit = (line: number) => {
      if (line === last) return;
      last = line;
      if (this.hits.length < MOST) this.hits.push(line);
      if (++this.count === 1) found();
    };
    try {
      await this.#read("back", "", signal, hit);
      if (signal.aborted) return;
      this.#searched = size;
    } catch (error) {
      if (signal.aborted) return;
      this.error = error instanceof Refused ? error.message : "the search broke off";
    }
    this.progress = null;
    this.redraw();
  }

  /** Search what has come since, now and then. The log has at least `size` bytes by now. */
  async more(size: number): Promise<void> {
    if (!this.#searched || size <= this.#searched || Date.now() - this.#looked < PAUSE) return;
    this.#looked = Infinity;
    const hit = (line: number) => {
      if (line <= (this.hits[0] ?? 0)) return;
      this.hits.unshift(line);
      this.count++;
    };
    const { signal } = this.#aborter;
    try {
      await this.#read("forward", String(Math.max(0, this.#searched - AGAIN)), signal, hit);
      if (!signal.aborted) this.#searched = size;
    } catch {
      // it is looked at again
    }
    this.#looked = Date.now();
  }

  async #read(dir: string, from: string, signal: AbortSignal, hit: (line: number) => void): Promise<void> {
    const { text, matchCase, regex } = this.query;
    for (;;) {
      const asked = { q: text, dir, limit: "10000", ...(matchCase && { case: "1" }), ...(regex && { regex: "1" }), ...(from && { from }) };
      let done = false;
      for await (const event of this.api.search(asked, signal)) {
        if (event.line) hit(event.line);
        else if (event.error) throw new Refused(0, event.error, null);
        else if (event.done) [done, from] = [true, String(event.next ?? "")];
        else if (this.progress !== null) this.progress = event.of ? event.scanned! / event.of : 1;
        this.redraw();
      }
      if (!done) throw new TypeError();
      if (!from) return;
    }
  }

  /** The hit after the current one, or before it; the nearest one to `line` at first. It goes round. */
  hop(down: boolean, line: number): number | null {
    const { hits } = this;
    if (!hits.length) return null;
    const from = this.current ?? (down ? line - 1 : line + 1);
    const lower = hits.findIndex((hit) => hit < from); // the first one above
    const higher = hits.findLastIndex((hit) => hit > from);
    const at = down ? (higher < 0 ? hits.length - 1 : higher) : lower < 0 ? 0 : lower;
    return (this.current = hits[at]!);
  }

  /** "3 of 17", "312+, 41 % searched". */
  get summary(): string {
    if (this.error) return this.error;
    const total = this.count.toLocaleString("en");
    if (this.progress !== null) return `${total}+ lines, ${Math.floor(this.progress * 100)} % searched`;
    if (!this.count) return "no line";
    const at = this.current === null ? -1 : this.hits.indexOf(this.current);
    const place = at < 0 ? "" : `${(this.count - at).toLocaleString("en")} of `;
    return `${place}${total} ${this.count === 1 ? "line" : "lines"}`;
  }
}
