/** What screen readers say: the state of a log, when it changes. */

import { element } from "../dom.js";

/** Milliseconds from one announcement to the next, at least. */
const EVERY = 2000;

export class Teller {
  #told: readonly string[] = [];
  #time = 0;

  /** `states`: those of all logs, in words; the ones that are new are said, if it is time to. */
  tell(states: readonly string[]): void {
    const now = Date.now();
    if (now - this.#time < EVERY) return;
    const fresh = states.filter((state, at) => state !== this.#told[at]);
    if (!fresh.length) return;
    this.#told = states;
    this.#time = now;
    element("said").textContent = fresh.join(", ");
  }
}
