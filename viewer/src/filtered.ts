/** The lines that a filter lets through, as far as they are known: those of one stretch of the log. Pure; bounded in size. */

import { first } from "./sorted.js";
import type { Line } from "./store.js";

/** Lines that are kept, and bytes of them; and lines that are kept on each side of those that are shown. */
const [MOST, MOST_BYTES, BESIDE] = [20_000, 6 * 1024 * 1024, 600];

/** A line that is let through. */
export interface Passed {
  readonly number: number;
  /** Where it begins in the log; bytes. */
  readonly at: number;
  /** Null: its bytes are not known exactly. */
  line: Line | null;
  /** When it began to arrive; milliseconds since the epoch. */
  readonly time: number;
  /** Whether it is shown only because it is beside one that matches. */
  readonly isContext: boolean;
}

export class Filtered {
  /** Of the lines from `low` to `high`, both included, it is known which are let through; of none, if `high` is less. */
  low: number;
  high: number;
  #all: Passed[] = [];
  #bytes = 0;

  /** Nothing is known but where it begins: in front of this line. */
  constructor(line: number) {
    this.low = line;
    this.high = line - 1;
  }

  get size(): number {
    return this.#all.length;
  }

  /** The line so far from the first one; from the last one, if `place` is negative. */
  at(place: number): Passed | undefined {
    return this.#all.at(place);
  }

  /** How many are in front of this line. */
  place(line: number): number {
    return first(this.#all, ({ number }) => number >= line);
  }

  get(line: number): Passed | undefined {
    const found = this.#all[this.place(line)];
    return found?.number === line ? found : undefined;
  }

  /** Whether it is known if this line is let through. */
  knows(line: number): boolean {
    return line >= this.low && line <= this.high;
  }

  /** A line that is let through; it may be known already. */
  add(passed: Passed): void {
    const place = this.place(passed.number);
    const known = this.#all[place];
    if (known?.number === passed.number) {
      if (known.isContext && !passed.isContext) this.#all[place] = passed;
      return;
    }
    if (place === this.#all.length) this.#all.push(passed);
    else this.#all.splice(place, 0, passed);
    this.#bytes += weight(passed);
  }

  /** The bytes of a line turned out to be these. */
  learn(passed: Passed, line: Line): void {
    this.#bytes -= weight(passed);
    passed.line = line;
    this.#bytes += weight(passed);
  }

  /** The next line that is let through, or of which it is not known. */
  next(line: number): number {
    const next = line + 1;
    return this.knows(next) ? (this.#all[this.place(next)]?.number ?? this.high + 1) : next;
  }

  /** The line in front of it that is let through, or of which it is not known. */
  previous(line: number): number {
    const previous = line - 1;
    return this.knows(previous) ? (this.#all[this.place(line) - 1]?.number ?? this.low - 1) : previous;
  }

  /** Forget lines that are far from all of these, if there are too many. */
  trim(around: readonly number[]): void {
    while (this.#all.length > MOST || this.#bytes > MOST_BYTES) {
      const above = this.place(around[0] ?? 0) - BESIDE;
      const below = this.#all.length - this.place(around.at(-1) ?? Infinity) - BESIDE;
      const far = Math.max(above, below);
      if (far <= 0) return;
      const gone = this.#all.splice(above === far ? 0 : -far, far);
      this.#bytes -= gone.reduce((sum, one) => sum + weight(one), 0);
      if (above === far) this.low = gone.at(-1)!.number + 1;
      else this.high = gone[0]!.number - 1;
    }
  }
}

function weight({ line }: Passed): number {
  return 200 + (line ? line.bytes.length + (line.end?.length ?? 0) : 0);
}
