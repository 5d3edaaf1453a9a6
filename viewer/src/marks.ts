/** Marks beside the log: where hits, marked lines, problems and gaps are. */

import { element } from "./dom.js";
import type { Gap } from "./gaps.js";
import type { Log } from "./log.js";
import { LEVELS, type ProblemList } from "./problemlist.js";
import type { View } from "./view.js";

/** Colours on light ground and on dark ground. */
const COLOURS = {
  hit: ["#b07a00", "#e3b341"], marked: ["#1d4fd7", "#8ab4ff"], gap: ["#8a94a3", "#66717f"],
  error: ["#b3261e", "#ff7b72"], warning: ["#c98500", "#b98d2a"], notice: ["#8a94a3", "#98a3b3"],
} as const;

export class Marks {
  readonly #canvas = element("marks") as HTMLCanvasElement;
  #drawn: readonly unknown[] = [];

  constructor(
    private readonly log: Log,
    private readonly view: View,
    private readonly problems: ProblemList,
  ) {}

  /** Hits are in the left half, problems in the right one. */
  show(dark: boolean, hits: readonly number[], gaps: readonly Gap[]): void {
    const canvas = this.#canvas;
    const { marked } = this.view;
    const { last, size, numbered } = this.log.store;
    const { clientWidth: width, clientHeight: height } = canvas;
    const { all } = this.problems;
    const drawn = [hits.length, hits[0], marked?.from, marked?.to, last, width, height, dark, all, gaps];
    if (drawn.every((one, at) => one === this.#drawn[at])) return;
    this.#drawn = drawn;
    [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d")!;
    const colour = (name: keyof typeof COLOURS) => (pen.fillStyle = COLOURS[name][Number(dark)]!);
    const mark = (line: number, from: number, to: number, thick = 2) => pen.fillRect(from, Math.floor(((line - 1) / last) * (height - 2)), to - from, thick);
    const half = width / 2;
    colour("gap");
    if (numbered) for (const { offset } of gaps) mark(this.problems.lineOf(offset, size, last), 0, width, 1);
    colour("hit");
    for (const line of hits) mark(line, 1, half);
    for (const level of [...LEVELS].reverse()) {
      colour(level);
      for (const one of all) if (one.level === level) mark(one.line, half, width - 1);
    }
    colour("marked");
    if (marked) pen.fillRect(0, ((marked.from - 1) / last) * (height - 3), width, Math.max(3, ((marked.to - marked.from) / last) * height));
  }
}
