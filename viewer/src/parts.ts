/** Long lines: which part of them is shown, where that is not their beginning. */

import { MORE, MOST, type Slice, SHOWN } from "./content.js";
import type { Log } from "./log.js";
import type { Source } from "./source.js";

/** Lines of which a part is kept. */
const KEPT = 50;

export class Parts {
  #slices = new Map<number, Slice>();

  /** `source`: where lines are; `changed`: of this line another part is shown. */
  constructor(
    private readonly log: Log,
    private readonly source: () => Source,
    private readonly changed: (line: number) => void,
  ) {}

  get(line: number): Slice | undefined {
    return this.#slices.get(line);
  }

  /** All lines got other numbers. */
  renumber(shift: number): void {
    this.#slices = new Map([...this.#slices].map(([line, slice]) => [line + shift, slice]));
  }

  /** Show more of a line. */
  async expand(line: number): Promise<void> {
    const known = this.get(line);
    const start = known?.start ?? 0;
    await this.show(line, start, start + Math.min(MOST, (known ? known.stop - start : SHOWN) * MORE), () => true);
  }

  /** Show more of a long line; if no more can be shown, its beginning again. */
  async toggle(line: number): Promise<void> {
    const known = this.get(line);
    const length = this.source().get(line)?.length ?? 0;
    if (known && (known.stop >= length || known.stop - known.start >= MOST)) this.shrink(line);
    else if (length > SHOWN) await this.expand(line);
  }

  /** Show a line from its beginning again. */
  shrink(line: number): void {
    this.#slices.delete(line);
    this.changed(line);
  }

  /** Show these bytes of a line, if they are still wanted when they come. */
  async show(number: number, start: number, stop: number, isWanted: () => boolean): Promise<void> {
    const line = this.source().get(number);
    if (!line) return;
    const slice = await this.log.slice(line, start, stop);
    const now = this.source().get(number)?.at === line.at ? number : this.log.store.lineAt(line.at); // lines may have got other numbers meanwhile
    if (now === null || !isWanted()) return;
    if (this.#slices.size > KEPT) this.#slices.clear();
    this.#slices.set(now, slice);
    this.changed(now);
  }
}
