/** Groups of lines that can be folded to their first one. Pure. */

import type { Group } from "./api.js";
import { first } from "./sorted.js";

export class Folds {
  #groups = new Map<number, Group>();
  /** What the user has folded or unfolded; a group is otherwise as the log says. */
  readonly #chosen = new Map<number, boolean>();
  /** Lines that are hidden: ascending, apart from each other, both ends included. */
  #hidden: [number, number][] = [];
  /** From which line on lines are how deep in groups that are nested in others: ascending. */
  #levels: [number, number][] = [];

  /**
   * Groups that the server knows; one that is known already may have ended since. `read`: lines that somebody looks at. A group
   * of theirs is not folded because the log says so: they would be gone from under the reader.
   */
  learn(groups: readonly Group[], read: readonly number[] = []): void {
    for (const group of groups) {
      const { start, end, collapsed } = group;
      const ends = end !== null && this.#groups.get(start)?.end !== end;
      if (ends && collapsed && !this.#chosen.has(start) && read.some((line) => line > start && line <= end)) this.#chosen.set(start, false);
      this.#groups.set(start, group);
    }
    this.#fold();
    this.#nest();
  }

  /** How deep this line is in groups that are nested in others: 0 in one that is not. */
  level(line: number): number {
    return this.#levels[first(this.#levels, ([from]) => from > line) - 1]?.[1] ?? 0;
  }

  #nest(): void {
    this.#levels = [];
    const open: Group[] = [];
    const close = (line: number) => {
      while (open.length && last(open.at(-1)!) < line) {
        const end = last(open.pop()!);
        this.#levels.push([end + 1, open.at(-1)?.level ?? 0]);
      }
    };
    for (const group of [...this.#groups.values()].sort((one, other) => one.start - other.start)) {
      close(group.start);
      this.#levels.push([group.start, group.level]);
      open.push(group);
    }
    close(Infinity);
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

  /** Whether a group begins in this line and goes on behind it, or may. */
  #hasMore(line: number): boolean {
    const group = this.#groups.get(line);
    return group !== undefined && last(group) > line;
  }

  /** One that has not ended is open, unless the user has folded it: who follows the log reads what comes. */
  isFolded(line: number): boolean {
    const group = this.#groups.get(line);
    return group !== undefined && this.#hasMore(line) && (this.#chosen.get(line) ?? (group.collapsed && group.end !== null));
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
    for (const group of this.#groups.values()) {
      if (group.start < line && line <= last(group)) this.#chosen.set(group.start, false);
    }
    this.#fold();
  }

  /** The innermost group that holds this line: where it begins. */
  around(line: number): number | null {
    let best: number | null = null;
    for (const group of this.#groups.values()) {
      if (group.start <= line && line <= last(group) && (best === null || group.start > best)) best = group.start;
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
    const interval = this.#hidden[first(this.#hidden, ([, to]) => to >= line)];
    return interval && interval[0] <= line ? way(interval) : line;
  }

  #fold(): void {
    this.#hidden = [];
    for (const group of [...this.#groups.values()].sort((one, other) => one.start - other.start)) {
      const { start } = group;
      const before = this.#hidden.at(-1);
      if (!this.isFolded(start) || (before && before[1] >= start)) continue;
      this.#hidden.push([start + 1, last(group)]);
    }
  }
}

/** The last line of a group; of one that has not ended, whatever comes. */
function last({ end }: Group): number {
  return end ?? Infinity;
}
