/** A search in all logs: from match to match in the order of merged lines. Each log is asked for its next line with a match, and no further. */

import { type Found, reasonOf } from "../api.js";
import type { Query } from "../search.js";
import { beyond, nearest, type Place, type Way } from "./heads.js";
import type { Source } from "./source.js";

/** Searches at a time: connections are left for lines, and for the list. */
const AT_ONCE = 2;

/** A line with a match. */
export interface Hit extends Place {
  readonly source: Source;
}

/** What a log has next: `size` bytes of it were searched. */
interface Head {
  readonly hit: Hit | null;
  readonly size: number;
}

export class Finder {
  query: Query = { text: "", matchCase: false, regex: false };
  current: Hit | null = null;
  /** What it has come to, in words. */
  summary = "";
  isSearching = false;
  #way: Way = -1;
  #heads = new Map<Source, Head>();
  #aborter = new AbortController();

  constructor(
    private readonly sources: readonly Source[],
    private readonly redraw: () => void,
  ) {}

  get isActive(): boolean {
    return this.query.text !== "";
  }

  stop(): void {
    this.#aborter.abort();
    this.isSearching = false;
    this.redraw();
  }

  /** Search for something else; an empty text: for nothing. */
  begin(query: Query): void {
    this.stop();
    Object.assign(this, { query, current: null, summary: "" });
    this.#heads.clear();
  }

  /** Go to the next match this way, from the current one, or from `start`; null: from the end or the beginning. Behind the last one it goes round. */
  async go(way: Way, start: Place | null): Promise<Hit | null> {
    if (!this.isActive) return null;
    this.#aborter.abort();
    const aborter = (this.#aborter = new AbortController());
    if (way !== this.#way || !this.current) this.#heads.clear();
    this.#way = way;
    this.isSearching = true;
    this.summary = "searching";
    this.redraw();
    const from = this.current ?? start;
    try {
      let hit = await this.#next(from, aborter.signal);
      if (!hit && from && !aborter.signal.aborted) {
        this.#heads.clear();
        hit = await this.#next(null, aborter.signal);
      }
      if (aborter.signal.aborted) return null;
      this.current = hit;
      if (hit) this.#heads.delete(hit.source);
      this.summary = hit ? "" : "no line";
      return hit;
    } catch (error) {
      if (!aborter.signal.aborted) this.summary = reasonOf(error);
      return null;
    } finally {
      if (!aborter.signal.aborted) this.isSearching = false;
      this.redraw();
    }
  }

  async #next(from: Place | null, signal: AbortSignal): Promise<Hit | null> {
    const left = this.sources.filter((source) => {
      const head = this.#heads.get(source);
      return source.track.exists && !source.track.closed && !(head && (head.hit || this.#way < 0 || head.size >= source.track.size));
    });
    const worker = async () => {
      for (let source = left.shift(); source && !signal.aborted; source = left.shift()) {
        const { size } = source.track;
        const hit = await this.#ask(source, from, signal);
        if (!signal.aborted) this.#heads.set(source, { hit, size });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return nearest([...this.#heads.values()].map(({ hit }) => hit), this.#way);
  }

  async #ask(source: Source, from: Place | null, signal: AbortSignal): Promise<Hit | null> {
    const { text, matchCase, regex } = this.query;
    const log = this.sources.indexOf(source);
    const asked = { q: text, lines: "1", limit: "1", ...(matchCase && { case: "1" }), ...(regex && { regex: "1" }), ...beyond(from, log, this.#way) };
    for await (const event of source.api.search(asked, signal) as AsyncGenerator<Found & { start?: number; time?: string }>) {
      if (event.error) throw new TypeError(event.error);
      if (event.start !== undefined) return { source, log, at: event.start, time: Date.parse(event.time!) };
    }
    return null;
  }
}
