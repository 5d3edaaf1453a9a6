/** What screen readers say: the state of the log when it changes, and new lines: read while they are few, counted otherwise. */

import { plain, type Read } from "./copy.js";
import { element } from "./dom.js";
import type { Log } from "./log.js";
import type { Source } from "./source.js";
import { count } from "./state.js";

/** Milliseconds from one announcement to the next, at least. */
const EVERY = 5000;
const EVERY_READ = 1000;
/** Lines that are read out in a second. */
const READ = 3;

export class Announcer {
  #said: { text: string; generation: string; source: Source | null; lines: number; time: number } = { text: "", generation: "", source: null, lines: 0, time: 0 };

  /** `source`: the lines that are shown; `read`: what is shown of one. */
  constructor(
    private readonly log: Log,
    private readonly source: () => Source,
    private readonly read: Read,
  ) {}

  /** All lines got other numbers. */
  renumber(shift: number): void {
    this.#said.lines += shift;
  }

  /** Say what is new, if it is time to. `aloud`: whether new lines shall be read. */
  say(state: string, aloud: boolean): void {
    const { generation, charset } = this.log;
    const source = this.source();
    const now = Date.now();
    const last = source.get(source.last)?.finished === false ? source.last - 1 : source.last;
    if (source !== this.#said.source) this.#said = { ...this.#said, source, lines: last };
    const lines = generation === this.#said.generation ? source.between(this.#said.lines, last) : 0;
    const read = aloud && lines > 0 && lines <= READ;
    if (now - this.#said.time < (read ? EVERY_READ : EVERY)) return;
    state = state.replace(/, .* new$| in \d+ s$/, "");
    const texts = [state === this.#said.text ? "" : state];
    if (read) {
      for (let line = source.next(this.#said.lines); line <= last; line = source.next(line)) {
        const known = source.get(line);
        if (known) texts.push(plain({ ...known, charset }, undefined, undefined, this.read));
      }
    } else if (lines > 0) texts.push(`${count(lines)} new lines`);
    this.#said = { text: state, generation, source, lines: last, time: now };
    const text = texts.filter(Boolean).join(", ");
    if (text) element("said").textContent = text;
  }
}
