/** Groups of lines: the server is asked for them, and the user folds them. */

import type { Api } from "./api.js";
import type { Log } from "./log.js";
import type { View } from "./view.js";

/** Milliseconds from one question to the next: while there are groups, and while there are none. */
const [SOON, LATER] = [2000, 10000];

export class Groups {
  #asked = 0;
  /** Bytes that the log had when groups were last asked for; -1: they never were. */
  #size = -1;

  constructor(
    private readonly api: Api,
    private readonly log: Log,
    private readonly view: View,
  ) {}

  /** Ask what groups there are: at first, and now and then while the log grows. */
  ask(): void {
    const { size, numbered } = this.log.store;
    const { folds } = this.view;
    const now = Date.now();
    if (!numbered || size === this.#size || now - this.#asked < SOON || !this.log.generation || !this.log.reachable) return;
    if (this.#size >= 0 && folds.size === 0 && now - this.#asked < LATER) return;
    [this.#asked, this.#size] = [now, size];
    void this.api
      .groups(folds.frontier)
      .then(({ groups }) => {
        if (!groups.length) return;
        folds.learn(groups);
        this.view.refresh();
      })
      .catch(() => {
        if (folds.size === 0) this.#size = -1;
      });
  }

  /** Fold the group that begins in this line, or unfold it. */
  toggle(line: number): void {
    this.view.pause();
    this.view.folds.toggle(line);
    if (!this.view.lines.includes(line)) this.view.toLine(line);
    this.view.refresh();
  }

  /** Fold or unfold the innermost group that holds this line. */
  toggleAround(line: number): void {
    const group = this.view.folds.around(line);
    if (group !== null) this.toggle(group);
  }

  toggleAll(): void {
    this.view.folds.toggleAll();
    this.view.refresh();
  }
}
