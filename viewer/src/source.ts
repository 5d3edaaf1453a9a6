/** Where the view has its lines from: the whole log, or something else that leaves lines out. Each line keeps its number in the log. */

import type { Bytes } from "./copy.js";
import type { Folds } from "./folds.js";
import type { Log } from "./log.js";
import type { Line } from "./store.js";

/** What is known of groups. */
export type Folding = Pick<Folds, "at" | "isFolded" | "level" | "next" | "previous" | "open">;

/** Groups, until any are known. */
const UNFOLDED: Folding = { at: () => undefined, isFolded: () => false, level: () => 0, next: (line) => line + 1, previous: (line) => line - 1, open: () => {} };

/** A line to be copied. */
export interface Numbered extends Bytes {
  readonly number: number;
}

/** Lines to be shown. `next` and `previous` lead from one that is shown to another; `open` shows one that is not, if it can. */
export interface Source extends Folding {
  /** The number of the last line; 0 if there is none. */
  readonly last: number;
  /** A line, if it is in memory. */
  get(line: number): Line | undefined;
  /** When a line began to arrive, in milliseconds since the epoch, if that is known. */
  time(line: number): number | undefined;
  /** How many lines are shown behind `from`, up to `to`. */
  between(from: number, to: number): number;
  /** What is copied of these lines, where lines are left out. */
  readonly left: Left | null;
  /** Make sure that a line is in memory, or will be. */
  need(line: number): void;
  /** Forget lines that are far from all of these. */
  trim(around: readonly number[]): void;
}

/** The lines that are left where others are left out: from one to another, both included. */
export interface Left {
  /** Null: not all of them are in memory. */
  known(from: number, to: number): Numbered[] | null;
  /** Null: that is too much. */
  ask(from: number, to: number): Promise<Numbered[] | null>;
}

/** All lines of a log, but those that are folded away, and those that `hides` leaves out. */
export class Whole implements Source {
  readonly left = null;
  folds = UNFOLDED;

  constructor(
    private readonly log: Log,
    private readonly hides: (line: Line | undefined) => boolean,
  ) {}

  get last(): number {
    return this.log.store.last;
  }

  get(line: number): Line | undefined {
    return this.log.store.get(line);
  }

  time(): undefined {}

  between(from: number, to: number): number {
    return Math.max(0, to - from);
  }

  need(line: number): void {
    this.log.need(line);
  }

  trim(around: readonly number[]): void {
    this.log.store.trim(around);
  }

  next(line: number): number {
    do line = this.folds.next(line); while (this.hides(this.get(line)));
    return line;
  }

  previous(line: number): number {
    do line = this.folds.previous(line); while (this.hides(this.get(line)));
    return line;
  }

  at(line: number): ReturnType<Folding["at"]> {
    return this.folds.at(line);
  }

  isFolded(line: number): boolean {
    return this.folds.isFolded(line);
  }

  level(line: number): number {
    return this.folds.level(line);
  }

  open(line: number): void {
    this.folds.open(line);
  }
}
