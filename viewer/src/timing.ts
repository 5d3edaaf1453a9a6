/** The column of times: asked of the server for the lines that are visible. Loaded, with `gaps`, when the column is switched on, or a log is so old that it may have gaps. */

import type { Api } from "./api.js";
import { clock, date, span } from "./clock.js";
import type { Log } from "./log.js";
export { Gaps } from "./gaps.js";
export { walk } from "./gapwalk.js";
import type { Time } from "./rows.js";
import type { Settings } from "./settings.js";
import type { Source } from "./source.js";
import { STAMPED, stampOf } from "./stamp.js";

/** Times that are kept. */
const MOST = 20_000;
/** Lines at a time, and milliseconds from one question to the next; and after a failure. */
const [LINES, PAUSE, AGAIN] = [500, 150, 3000];
/** The beginning of each line of an answer; what follows is the text, which is here already. */
const HEAD = /^\{"line": ?\d+, ?"offset": ?(\d+), ?"time": ?"([^"]+)"/;
/** Characters of a line of an answer that are kept until it is read. */
const BEGINNING = 200;

export class Timing {
  /** When lines began to come, in milliseconds since the epoch, by where they begin in the log: line numbers may change. */
  #times = new Map<number, number>();
  /** The time that the log has in front of its first line: null if it has none, undefined if nobody has asked. */
  #first: number | null | undefined;
  #asking = false;
  #until = 0;

  constructor(
    private readonly api: Api,
    private readonly log: Log,
    private readonly source: () => Source,
    private readonly redraw: () => void,
  ) {}

  /** What is shown beside a line, as far as it is known. */
  of(line: number, kind: Settings["time"]): Time {
    const time = this.#time(line);
    const above = kind === "before" ? this.source().previous(line) : 0;
    const began = this.#stamp(line) === undefined ? this.log.began : (this.#first ?? undefined);
    const before = kind === "before" ? (above > 0 ? this.#time(above) : began) : kind === "start" ? began : undefined;
    if (time === undefined || (kind !== "clock" && before === undefined)) return { text: "", title: "" };
    const text = kind === "clock" ? clock(time) : `${kind === "before" ? "+" : ""}${span(time - before!)}`;
    return { text, title: date(time) };
  }

  #time(line: number): number | undefined {
    const source = this.source();
    const known = source.get(line);
    return this.#stamp(line) ?? source.time(line) ?? (known && this.#times.get(known.at));
  }

  /** The time that the log has in front of a line: it may have been sent long after it was written. */
  #stamp(line: number): number | undefined {
    const bytes = this.source().get(line)?.bytes.subarray(0, STAMPED);
    return bytes && stampOf(new TextDecoder().decode(bytes))?.time;
  }

  /** Ask for the times of these lines, and of those before them. */
  need(lines: readonly number[]): void {
    const source = this.source();
    if (this.#asking || !this.log.reachable || Date.now() < this.#until) return;
    if (this.#first === undefined && lines.some((line) => this.#stamp(line) !== undefined)) this.#askFirst();
    const wanted = new Set(lines.flatMap((line) => [source.previous(line), line]));
    const unknown = [...wanted].filter((line) => source.get(line) && this.#time(line) === undefined);
    const first = unknown[0];
    if (first === undefined) return;
    const last = unknown.findLast((line) => line - first < LINES)!;
    this.#asking = true;
    void this.#ask(source.get(first)!.at, last - first + 1).then(() => PAUSE, () => AGAIN).then((pause) => {
      this.#asking = false;
      this.#until = Date.now() + pause;
      setTimeout(this.redraw, pause);
      this.redraw();
    });
  }

  #askFirst(): void {
    this.#first = null;
    void this.api.get("lines", { from: "1", count: "1" }).then((response) => response.text()).then((text) => {
      this.#first = stampOf(text)?.time ?? null;
      this.redraw();
    }, () => ([this.#first, this.#until] = [undefined, Date.now() + AGAIN]));
  }

  async #ask(offset: number, count: number): Promise<void> {
    const response = await this.api.get("lines", { from: `byte:${offset}`, count: String(count), as: "ndjson" });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    if (this.#times.size > MOST) this.#times.clear();
    for (let head = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const [at, part] of value.split("\n").entries()) {
        if (at) head = "";
        if (head.length >= BEGINNING) continue;
        const isRead = HEAD.test(head);
        head += part.slice(0, BEGINNING);
        const found = isRead ? null : HEAD.exec(head);
        if (found) this.#times.set(Number(found[1]), Date.parse(found[2]!));
      }
    }
  }
}
