/** Groups of lines: the server is asked for them, and the user folds them. */

import type { Api } from "./api.js";
import { Folds } from "./folds.js";
import type { Log } from "./log.js";
import type { View } from "./view.js";

/** Milliseconds from one question to the next: when a mark of a group has come, while there are groups, and while there are none. */
const [AT_ONCE, SOON, LATER] = [400, 2000, 10000];
/** What a line has in which a group begins or ends. */
const MARK = /##\[(end)?group\]|::(end)?group::|##\[section\]|_(start|end|fold):|(^|\x07)(---|\+\+\+|~~~) /;
/** Bytes of a line in which it is looked for, and lines at a time. */
const [BEGINNING, LINES] = [200, 300];

export class Groups {
  readonly #folds = new Folds();
  #asked = 0;
  /** Bytes that the log had when groups were last asked for; -1: they never were. */
  #size = -1;
  /** The last line in which a mark was looked for, and whether there was one since groups were last asked for. */
  #looked = 0;
  #isMarked = false;

  constructor(
    private readonly api: Api,
    private readonly log: Log,
    private readonly view: View,
  ) {
    view.whole.folds = this.#folds;
  }

  /** Ask what groups there are: at first, when a mark has come, and now and then while the log grows. */
  ask(): void {
    const { size, numbered } = this.log.store;
    const folds = this.#folds;
    if (!numbered || !this.log.generation || !this.log.reachable) return;
    this.#look();
    const now = Date.now();
    const pause = this.#size < 0 || this.#isMarked ? AT_ONCE : folds.size ? SOON : LATER;
    if (size === this.#size || now - this.#asked < pause) return;
    const isFirst = this.#size < 0;
    [this.#asked, this.#size, this.#isMarked] = [now, size, false];
    void this.api
      .groups(folds.frontier)
      .then(({ groups }) => {
        if (!groups.length) return;
        folds.learn(groups, isFirst ? [this.view.gone ?? 0] : this.view.lines);
        this.view.refresh();
      })
      .catch(() => {
        if (folds.size === 0) this.#size = -1;
      });
  }

  /** Look for marks in what has come. */
  #look(): void {
    const { store } = this.log;
    const last = store.get(store.last)?.finished === false ? store.last - 1 : store.last;
    const first = Math.max(this.#looked + 1, last - LINES);
    for (let line = first; line <= last && !this.#isMarked; line++) {
      this.#isMarked = MARK.test(String.fromCharCode(...(store.get(line)?.bytes.subarray(0, BEGINNING) ?? [])));
    }
    this.#looked = last;
  }

  /** Fold the group that begins in this line, or unfold it. */
  toggle(line: number): void {
    if (this.view.source !== this.view.whole) return;
    this.view.pause();
    this.#folds.toggle(line);
    if (!this.view.lines.includes(line)) this.view.toLine(line);
    this.view.refresh();
  }

  /** The title of the innermost group that holds this line; "" if none does. */
  titleOf(line: number): string {
    return this.#folds.at(this.#folds.around(line) ?? 0)?.title ?? "";
  }

  /** Fold or unfold the innermost group that holds this line. */
  toggleAround(line: number): void {
    const group = this.#folds.around(line);
    if (group !== null) this.toggle(group);
  }

  toggleAll(): void {
    this.#folds.toggleAll();
    this.view.refresh();
  }
}
