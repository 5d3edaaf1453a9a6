/** A hit that was gone to is brought into view: its row is there, and then what of the line it is. */

import type { Found } from "./api.js";
import { SHOWN } from "./content.js";
import { locate } from "./locate.js";
import type { Log } from "./log.js";
import type { Parts } from "./parts.js";
import { range, type Row } from "./rows.js";
import type { Source } from "./source.js";
import type { Line } from "./store.js";

/** Bytes that are shown of a long line in front of a hit in it. */
const BEFORE = 1024;
/** Milliseconds until it is asked for again, if it could not be had. */
const AGAIN = 1000;

/** Where hits are shown. */
export interface Shown {
  readonly surface: HTMLElement;
  readonly parts: Parts;
  readonly source: Source;
  row(line: number): Row | undefined;
  by(pixels: number): void;
}

export class Revealing {
  /** The hit that is looked for, until it is seen. */
  wanted: Found | null = null;
  /** The one for which a part of its line is on its way. */
  #asked: Found | null = null;

  constructor(
    private readonly view: Shown,
    private readonly log: Log,
  ) {}

  /** Where in the text of a row a hit is. */
  locate(row: Row, { offset, length }: Found): [number, number] | null {
    const line = this.view.source.get(row.line);
    return line ? locate(row.text.textContent!, line, this.log.charset, this.view.parts.get(row.line), offset!, length!) : null;
  }

  /** Where a hit is on the screen, and the room for text there; null: it is not shown. */
  #places(found: Found): { hit: DOMRect; room: DOMRect } | null {
    const row = this.view.row(found.line!);
    const place = row && this.locate(row, found);
    if (!place) return null;
    const { right, top, bottom } = this.view.surface.getBoundingClientRect();
    const left = row.number.getBoundingClientRect().right;
    return { hit: range(row, place).getBoundingClientRect(), room: new DOMRect(left, top, right - left, bottom - top) };
  }

  /** Whether a hit is visible. */
  shows(found: Found): boolean {
    const places = this.#places(found);
    return !!places && places.hit.left >= places.room.left && places.hit.right <= places.room.right && places.hit.top >= places.room.top && places.hit.bottom <= places.room.bottom;
  }

  /** Scroll to the hit that is looked for, or show the part of its line in which it is. */
  reveal(): void {
    const found = this.wanted;
    const line = found && this.view.source.get(found.line!);
    if (!line || !this.view.row(found.line!)) return;
    const places = this.#places(found);
    if (!places) return this.#bring(found, line);
    this.wanted = null;
    const { hit, room } = places;
    const { surface } = this.view;
    if (hit.left < room.left || hit.right > room.right) surface.scrollLeft += hit.left - room.left - room.width / 3;
    if (hit.top < room.top || hit.bottom > room.bottom) this.view.by(hit.top - room.top - room.height / 2);
  }

  /** Show the part of a long line in which a hit is. If there is nothing to be seen of it there, either, it is not looked for any more. */
  #bring(found: Found, line: Line): void {
    const { parts } = this.view;
    const [from, to] = [found.offset! - line.at, found.offset! - line.at + found.length!];
    const slice = parts.get(found.line!);
    if (line.length <= SHOWN || (slice && slice.start <= from && to <= slice.stop)) this.wanted = null;
    else if (this.#asked !== found && this.log.reachable) {
      this.#asked = found;
      const done = () => (this.#asked = null); // if it is still looked for, it is asked for again
      parts.show(found.line!, Math.max(0, from - BEFORE), to + SHOWN, () => this.wanted === found).then(done, () => setTimeout(done, AGAIN));
    }
  }
}
