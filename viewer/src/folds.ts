/** Groups of lines that can be folded to their first one. Pure. */

import type { Group } from "./api.js";

export class Folds {
  #groups = new Map<number, Group>();
  /** What the user has folded or unfolded; a group is otherwise as the log says. */
  readonly #chosen = new Map<number, boolean>();
  /** Lines that are hidden: ascending, apart from each other, both ends included. */
  #hidden: [number, number][] = [];

  /** Groups that the server knows; one that is known already may have ended since. */
  learn(groups: readonly Group[]): void {
    for (const group of groups) this.#groups.set(group.start, group);
    this.#fold();
  }

  /** The group that begins in this line. */
  at(line: number): Group | undefined {
    return this.#groups.get(line);
  }

  get size(): number {
    return this.#groups.size;
  }

  /** The first line of the last group that has not ended, to ask for news from; the last one's, if all have. */
  get frontier(): number {
    let frontier = 1;
    for (const { start, end } of this.#groups.values()) {
      if (end === null) return start;
      frontier = Math.max(frontier, start);
    }
    return frontier;
  }

  /** Whether a group that has ended begins in this line and goes on behind it. */
  #hasMore(line: number): boolean {
    return (this.#groups.get(line)?.end ?? 0) > line;
  }

  isFolded(line: number): boolean {
    return this.#hasMore(line) && (this.#chosen.get(line) ?? this.#groups.get(line)!.collapsed);
  }

  toggle(line: number): void {
    this.#chosen.set(line, !this.isFolded(line));
    this.#fold();
  }

  /** Fold all groups; unfold them, if all are folded. */
  toggleAll(): void {
    const fold = [...this.#groups.keys()].some((line) => this.#hasMore(line) && !this.isFolded(line));
    for (const line of this.#groups.keys()) this.#chosen.set(line, fold);
    this.#fold();
  }

  /** Unfold whatever hides this line. */
  open(line: number): void {
    for (const { start, end } of this.#groups.values()) {
      if (start < line && end !== null && line <= end) this.#chosen.set(start, false);
    }
    this.#fold();
  }

  /** The innermost group that holds this line: where it begins. */
  around(line: number): number | null {
    let best: number | null = null;
    for (const { start, end } of this.#groups.values()) {
      if (start <= line && (end === null || line <= end) && (best === null || start > best)) best = start;
    }
    return best;
  }

  next(line: number): number {
    return this.#out(line + 1, (interval) => interval[1] + 1);
  }

  previous(line: number): number {
    return this.#out(line - 1, (interval) => interval[0] - 1);
  }

  #out(line: number, way: (interval: [number, number]) => number): number {
    let [low, high] = [0, this.#hidden.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#hidden[middle]![1] < line) low = middle + 1;
      else high = middle;
    }
    const interval = this.#hidden[low];
    return interval && interval[0] <= line ? way(interval) : line;
  }

  #fold(): void {
    this.#hidden = [];
    for (const { start, end } of [...this.#groups.values()].sort((one, other) => one.start - other.start)) {
      const before = this.#hidden.at(-1);
      if (!this.isFolded(start) || (before && before[1] >= start)) continue;
      this.#hidden.push([start + 1, end!]);
    }
  }
}
