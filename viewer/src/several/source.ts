/** One of the logs: what the list tells of it, and its lines as they are asked for. */

import { type Api, reasonOf, Refused } from "../api.js";
import type { Icon } from "../icons.js";
import { type Log, type Logs } from "../list/logs.js";
import { SIGNS, TONES, type Tone, words } from "../list/signs.js";
import { read } from "./lines.js";
import type { Sequence, Track, Want } from "./sequence.js";

/** Milliseconds until lines are asked for again after a failure: at first, and at most. */
const [FIRST_DELAY, LAST_DELAY] = [1000, 15_000];

export class Source {
  /** What the list tells of it; of a log that is not listed any more, the last that it told. */
  log: Log | null = null;
  /** Whether the list has it no more, and whether another log has its name. */
  gone: "" | "removed" | "replaced" = "";
  /** What went wrong when its lines were asked for. */
  trouble = "";
  #delay = 0;
  #until = 0;
  #asking: { readonly epoch: number; readonly aborter: AbortController } | null = null;

  constructor(
    readonly name: string,
    readonly api: Api,
    readonly sequence: Sequence,
    /** Which of the sequence's logs it is. */
    readonly at: number,
  ) {}

  get track(): Track {
    return this.sequence.tracks[this.at]!;
  }

  /** Learn from the list. The log that is shown stays the same one when another takes its name. */
  learn(logs: Logs, newest: (name: string) => Log | undefined): void {
    const known = this.log && logs.get(this.log.generation);
    if (known || !this.log) {
      const log = known ?? newest(this.name);
      if (!log) return;
      if (!this.log) this.api.which = { generation: log.generation };
      this.log = log;
      this.gone = "";
      this.track.exists = true;
      this.track.size = Math.max(this.track.size, log.status.size);
    } else if (logs.listed) this.gone = newest(this.name) ? "replaced" : logs.next === null ? "removed" : ""; // else it may be older than those that are listed
  }

  /** Ask for what is wanted, unless that is being done. `done` is called when the answer is here, or does not come. Returns whether it asks. */
  ask(want: Want, done: () => void): boolean {
    const { epoch } = this.sequence;
    if (this.#asking?.epoch === epoch || Date.now() < this.#until) return false;
    this.#asking?.aborter.abort();
    const asking = (this.#asking = { epoch, aborter: new AbortController() });
    void read(this.api, want.query, asking.aborter.signal).then(
      (answer) => {
        if (this.#asking !== asking) return;
        this.trouble = "";
        this.#delay = 0;
        this.sequence.take(want, answer);
      },
      (error) => {
        if (this.#asking === asking) this.#failed(error, done);
      },
    ).finally(() => {
      if (this.#asking === asking) this.#asking = null;
      done();
    });
    return true;
  }

  /** Ask again now. */
  retry(): void {
    this.#until = this.#delay = 0;
  }

  #failed(error: unknown, again: () => void): void {
    this.trouble = reasonOf(error);
    if (error instanceof Refused && [400, 404, 412].includes(error.status)) {
      this.track.closed = this.trouble;
      return this.sequence.fill();
    }
    this.#delay = Math.min(LAST_DELAY, Math.max(FIRST_DELAY, 2 * this.#delay));
    this.#until = Date.now() + this.#delay;
    setTimeout(again, this.#delay);
  }

  /** What is the case with it, in words. */
  get state(): { icon: Icon; text: string; tone: Tone } {
    if (!this.log) return { icon: "wait", text: "Waiting for the log", tone: "quiet" };
    if (this.gone === "removed") return { icon: "none", text: "Removed", tone: "bad" };
    if (this.gone === "replaced") return { icon: "again", text: "Replaced", tone: "warn" };
    const { kind } = this.log;
    return { icon: SIGNS[kind], text: words(this.log), tone: TONES[kind] };
  }

  /** Whether nothing will follow. */
  get hasEnded(): boolean {
    return this.gone !== "" || /complete|failed|aborted/.test(this.log?.kind ?? "");
  }
}
