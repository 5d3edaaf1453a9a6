/** Times in which nothing came: marked between the lines, in rows of their own. */

import type { Api } from "./api.js";
import type { Log } from "./log.js";
import { first } from "./sorted.js";
import type { Line } from "./store.js";

/** Seconds that a gap has at least. */
const LEAST = 5;
/** Milliseconds from one question to the next. */
const PAUSE = 2000;

export interface Gap {
  readonly seconds: number;
  /** The byte that came when it ended. */
  readonly offset: number;
}

/** Gaps by their places. Pure: what is marked at a line depends on that line alone, and so does its height. */
export class GapMap {
  #gaps: readonly Gap[] = [];

  set(gaps: readonly Gap[]): void {
    this.#gaps = gaps.filter(({ seconds }) => seconds >= LEAST).sort((one, other) => one.offset - other.offset);
  }

  get all(): readonly Gap[] {
    return this.#gaps;
  }

  /** Seconds of silence in front of a line; 0: there was none to speak of. */
  above({ at }: Line): number {
    const gap = this.#gaps[this.#first(at)];
    return gap?.offset === at ? gap.seconds : 0;
  }

  /** Seconds of silence within a line, all together: before the next one. */
  below({ at, length, finished }: Line): number {
    const end = at + length + (finished ? 1 : 0);
    let seconds = 0;
    for (let place = this.#first(at + 1); place < this.#gaps.length && this.#gaps[place]!.offset < end; place++) seconds += this.#gaps[place]!.seconds;
    return seconds;
  }

  /** The place of the first gap at this byte or behind it. */
  #first(offset: number): number {
    return first(this.#gaps, (gap) => gap.offset >= offset);
  }
}

export class Gaps {
  readonly map = new GapMap();
  #next = 0;
  #asked: Promise<unknown> = Promise.resolve();
  /** What was known when they were asked for: they are asked for again when there may be others. */
  #seen = "";

  /** `change` makes a change, which gives lines other heights. */
  constructor(
    private readonly api: Api,
    private readonly log: Log,
    private readonly change: (make: () => void) => void,
  ) {}

  /** Ask for gaps, if there may be news. Returns when the answer is here that was asked for last. */
  ask(): Promise<unknown> {
    const { generation, reachable, ended, silences, store } = this.log;
    const now = Date.now();
    if (!generation || !reachable || !store.size) return this.#asked;
    const seen = [silences, ended].join();
    if (seen === this.#seen || now < this.#next) return this.#asked;
    this.#next = now + PAUSE;
    this.#seen = seen;
    return (this.#asked = this.api.status({ gaps: "1000" }).then(({ gaps }) => gaps && this.change(() => this.map.set(gaps)), () => (this.#seen = "")));
  }
}
