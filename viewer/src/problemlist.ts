/** Errors, warnings and notices of a log, as far as the server has told of them. Pure. */

import type { Level, Problem, Problems } from "./api.js";
import { first } from "./sorted.js";

/** The gravest first. */
export const LEVELS: readonly Level[] = ["error", "warning", "notice"];

/** What must not turn the line around in which a text stands, nor vanish. */
const CONTROLS = /[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+/g;

export class ProblemList {
  /** Those that the server keeps, in the order of their lines. */
  all: readonly Problem[] = [];
  counts: Readonly<Record<Level, number>> = { error: 0, warning: 0, notice: 0 };
  /** Bytes of the log that have been scanned. */
  indexed = 0;
  #shown: { readonly key: string; readonly list: readonly Problem[] } = { key: "", list: [] };

  /** Take in a page of an answer about the lines from `from` on. `isFirst`: it is the first page; those after it go on. */
  learn({ problems, counts, indexed }: Problems, from: number, isFirst: boolean): void {
    const fresh = problems.filter(({ level }) => LEVELS.includes(level)).map((one) => ({ ...one, message: readable(one.message), file: one.file && readable(one.file) }));
    this.all = [...(isFirst ? this.all.filter(({ line }) => line < from) : this.all), ...fresh];
    this.counts = { error: counts["error"] ?? 0, warning: counts["warning"] ?? 0, notice: counts["notice"] ?? 0 };
    this.indexed = indexed;
    this.#shown = { key: "", list: [] };
  }

  get total(): number {
    return LEVELS.reduce((sum, level) => sum + this.counts[level], 0);
  }

  /** The line from which on there may be news: that of the last problem, which may have got more lines. */
  get frontier(): number {
    return this.all.at(-1)?.line ?? 1;
  }

  /** Those of some levels. */
  of(levels: readonly string[]): readonly Problem[] {
    const key = levels.join();
    if (this.#shown.key !== key || !this.#shown.list.length) this.#shown = { key, list: this.all.filter(({ level }) => levels.includes(level)) };
    return this.#shown.list;
  }

  /** The first of these levels that begins in this line or behind it; or, if not `down`, the last one that begins before it. */
  near(line: number, down: boolean, levels: readonly string[]): Problem | undefined {
    const list = this.of(levels);
    const at = first(list, (one) => one.line >= line);
    return list[down ? at : at - 1];
  }

  /** The line in which the byte at this offset is, about: between two problems, lines are taken to be equally long. */
  lineOf(offset: number, size: number, last: number): number {
    const at = first(this.all, (one) => one.offset > offset);
    const [before, behind] = [this.all[at - 1] ?? { offset: 0, line: 1 }, this.all[at] ?? { offset: size, line: last }];
    return before.line + ((behind.line - before.line) * (offset - before.offset)) / Math.max(1, behind.offset - before.offset);
  }
}

/** `src/app.js:10:15`, as far as it is known. */
export function placeOf({ file, row, column }: Pick<Problem, "file" | "row" | "column">): string {
  return [file, file && row, file && row && column].filter((part) => part !== null && part !== "" && part !== 0).join(":");
}

/** A text of the log as something to look at. */
export function readable(text: string): string {
  return text.replace(CONTROLS, " ");
}

/** "3 errors, 1 warning". */
export function inWords(counts: Readonly<Record<Level, number>>): string {
  return LEVELS.filter((level) => counts[level]).map((level) => `${counts[level].toLocaleString("en")} ${level}${counts[level] === 1 ? "" : "s"}`).join(", ");
}
