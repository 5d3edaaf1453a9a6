/** Lines of one of the logs that are marked: they are in the address, which leads to them, and can be copied. */

import { reasonOf } from "../api.js";
import { copy } from "../clipboard.js";
import type { Notices } from "../notices.js";
import { count } from "../state.js";
import { type Lines, readLines, writeLines } from "./address.js";
import type { Hit } from "./finder.js";
import { read } from "./lines.js";
import type { Source } from "./source.js";

/** Lines that are copied at most. */
const MOST = 10_000;

/** What lines are marked in. */
export interface Around {
  title(source: Source): string;
  /** The line that is looked at; null: the end is followed. */
  looked(): Lines | null;
  /** Have the lines that are shown stay. */
  pause(): void;
  reveal(hit: Hit): void;
  readonly redraw: () => void;
}

export class Marking {
  lines: Lines | null = null;
  /** Lines that the address has led to, until they are gone to. */
  #goal: Lines | null = null;

  constructor(
    private readonly sources: readonly Source[],
    private readonly notices: Notices,
    private readonly around: Around,
  ) {
    this.#read();
    addEventListener("popstate", () => this.#read());
  }

  #read(): void {
    this.#goal = this.lines = readLines(location.hash, this.sources.length);
    this.around.redraw();
  }

  /** Go to where the address leads, as soon as there is such a log. */
  arrive(): void {
    const goal = this.#goal;
    if (!goal || !this.sources[goal.log]!.track.exists) return;
    this.#goal = null;
    void this.#go(goal);
  }

  async #go(lines: Lines): Promise<void> {
    const source = this.sources[lines.log]!;
    try {
      const asked = { from: String(lines.from), count: "1" };
      const [line] = (await read(source.api, asked, new AbortController().signal)).lines;
      if (this.lines !== lines) return;
      if (line) this.around.reveal({ source, log: lines.log, at: line.at, time: line.time });
      else this.notices.tell(`There is no line ${count(lines.from)} in ${this.around.title(source)}`);
    } catch (error) {
      this.notices.tell(reasonOf(error));
    }
  }

  /** Whether a line is marked. */
  has(log: number, line: number): boolean {
    const { lines } = this;
    return lines !== null && log === lines.log && line >= lines.from && line <= lines.to;
  }

  /** Mark lines, and put them into the address; going back undoes it. */
  mark(lines: Lines | null): void {
    if (lines === this.lines) return;
    this.around.pause();
    history.pushState(null, "", location.pathname + location.search + writeLines(lines));
    this.lines = lines;
    this.around.redraw();
  }

  /** Mark lines that are gone to; there is nothing to go back to. */
  note(lines: Lines): void {
    this.lines = lines;
    history.replaceState(history.state, "", location.pathname + location.search + writeLines(lines));
  }

  /** Mark a line; `extending`: all lines from the first marked one of this log to this one. */
  pick(log: number, line: number, extending: boolean): void {
    const from = extending && this.lines?.log === log ? this.lines.from : line;
    this.mark({ log, from: Math.min(from, line), to: Math.max(from, line) });
  }

  /** Mark lines, and go to them. */
  go(lines: Lines): void {
    this.mark(lines);
    void this.#go(lines);
  }

  /** Copy a link to the marked lines, or to what is looked at. */
  async link(): Promise<void> {
    const url = new URL(location.href);
    url.hash = writeLines(this.lines ?? this.around.looked());
    this.notices.tell((await copy(Promise.resolve(url.href))) ? "Link copied" : url.href);
  }

  /** Copy the marked lines. `raw`: with their escape sequences. */
  async copy(raw: boolean): Promise<void> {
    if (!this.lines) return;
    const { log, from, to } = this.lines;
    const lines = Math.min(to - from + 1, MOST);
    const asked = { from: String(from), count: String(lines), as: "text", ...(!raw && { plain: "1" }) };
    let text = "";
    const done = await copy(this.sources[log]!.api.get("lines", asked).then(async (response) => (text = await response.text())));
    const got = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    if (!text) this.notices.tell("The lines cannot be read");
    else if (!done) this.notices.tell("The browser lets no page copy here");
    else this.notices.tell(`Copied ${got < to - from + 1 && got === MOST ? "the first " : ""}${count(got)} ${got === 1 ? "line" : "lines"}`);
  }
}
