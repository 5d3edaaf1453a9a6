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

  constructor(
    private readonly api: Api,
    private readonly changed: () => void,
  ) {}

  get active(): boolean {
    return this.query.text !== "";
  }

  stop(): void {
    this.#aborter.abort();
    this.progress = null;
    this.changed();
  }

  clear(): void {
    this.stop();
    Object.assign(this, { query: { ...this.query, text: "" }, hits: [], count: 0, current: null, error: "" });
    this.changed();
  }

  /** Search. `found` is called when the first hit has come. */
  async run(query: Query, found: () => void): Promise<void> {
    this.clear();
    this.query = query;
    if (!query.text) return;
    this.#aborter = new AbortController();
    const { signal } = this.#aborter;
    this.progress = 0;
    this.changed();
    try {
      for (let from: string | null = ""; from !== null && !signal.aborted; ) from = await this.#part(query, from, signal, found);
    } catch (error) {
      if (signal.aborted) return;
      this.error = error instanceof Refused ? error.message : "the search broke off";
    }
    if (signal.aborted) return;
    this.progress = null;
    this.changed();
  }

  async #part({ text, matchCase, regex }: Query, from: string, signal: AbortSignal, found: () => void): Promise<string | null> {
    const asked = { q: text, dir: "back", limit: "10000", ...(matchCase && { case: "1" }), ...(regex && { regex: "1" }), ...(from && { from }) };
    for await (const event of this.api.search(asked, signal)) {
      if (typeof event["line"] === "number") {
        this.count++;
        if (this.hits.length < MOST) this.hits.push(event["line"]);
        if (this.count === 1) found();
      } else if (typeof event["of"] === "number") {
        this.progress = event["of"] ? Number(event["scanned"]) / event["of"] : 1;
      } else if (event["done"]) {
        return event["next"] == null ? null : String(event["next"]);
      }
      this.changed();
    }
    throw new TypeError("the search broke off");
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
