/** Lines that are not in memory: asked for when somebody needs them, and not again and again where they cannot be had. */

import type { Api } from "./api.js";
import { newlines, type Store } from "./store.js";

const PAGE = 500;
/** Milliseconds until lines are asked for again after a failure: at first, and at most. */
const [FIRST_DELAY, LAST_DELAY] = [1000, 30000];

export class Loader {
  readonly #loading = new Set<string>();
  #delay = 0;
  /** Before that time nothing is asked; milliseconds since the epoch. */
  #until = 0;

  /** `ready`: whether the server can be asked just now; `redraw`, `renumbered` as in `Log`. */
  constructor(
    private readonly api: Api,
    private readonly store: Store,
    private readonly ready: () => boolean,
    private readonly redraw: () => void,
    private readonly renumbered: (shift: number) => void,
  ) {}

  /** Make sure that `line` is in memory, or will be. */
  need(line: number): void {
    const { store } = this;
    if (line < 1 || line > store.last || store.get(line) || !this.ready() || Date.now() < this.#until) return;
    const above = store.nearest(line, -1);
    const below = store.nearest(line, 1);
    if (below !== null && (below - line <= PAGE || !store.numbered)) {
      void this.#load({ at: String(store.get(below)!.at), count: String(-PAGE) }, below, -1);
    } else if (above !== null && line - above <= PAGE && store.get(above)!.finished) {
      const { at, length } = store.get(above)!;
      void this.#load({ at: String(at + length + 1), count: String(PAGE) }, above + 1, 1);
    } else if (store.numbered) {
      const from = Math.max(1, line - PAGE / 4);
      void this.#load({ from: String(from), count: String(PAGE) }, from, 1);
    }
  }

  async #load(query: Record<string, string>, edge: number, direction: -1 | 1): Promise<void> {
    const key = JSON.stringify(query);
    if (this.#loading.has(key)) return;
    this.#loading.add(key);
    const { numbered } = this.store;
    try {
      const piece = await this.api.lines(query);
      // What was taken for a line may be the end of one, which is found out when lines are counted.
      if (direction < 0 && piece.offset + piece.bytes.length !== Number(query["at"])) throw new TypeError();
      this.#delay = 0;
      const unfinished = piece.bytes.length && piece.bytes.at(-1) !== 10;
      const count = newlines(piece.bytes) + (unfinished ? 1 : 0);
      let first = direction < 0 ? edge - count : edge;
      if (piece.first !== null) {
        // Between question and answer all numbers may have become real ones.
        if (!this.store.numbered) this.renumbered(this.store.renumber(first, piece.first));
        first = piece.first;
      } else if (!numbered && this.store.numbered) return;
      else if (direction < 0 && piece.offset === 0 && !this.store.numbered) {
        this.renumbered(this.store.renumber(first, 1));
        first = 1;
      }
      this.store.insert(piece, first);
    } catch {
      this.#delay = Math.min(LAST_DELAY, 2 * this.#delay || FIRST_DELAY);
      this.#until = Date.now() + this.#delay;
      setTimeout(this.redraw, this.#delay); // then whoever still needs it asks again
    } finally {
      this.#loading.delete(key);
      this.redraw();
    }
  }
}
