/** The text of a part of a log, as a terminal would show it. Pure. */

import { parse, type Run } from "./ansi.js";
import type { Charset } from "./charset.js";
import { PLAIN } from "./sgr.js";

/**
 * Lines as a terminal would show them, from one place in the first of them to one in the last; all of them, if there are none.
 * `read`: what is shown of a line; null: it is not shown.
 */
export function plain({ bytes, at, charset }: Bytes, from: Place = BEGINNING, to: Place = END, read: Read = joined): string {
  const runs = (start: number, stop: number) => parse(charset.decode(bytes.subarray(start, stop), at + start), PLAIN).runs;
  const texts: string[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const stop = newline < 0 ? bytes.length : newline;
    const [first, last] = [start === 0, newline < 0 || newline === bytes.length - 1];
    const isEnd = last && to.column !== Infinity;
    const begin = first ? from.start : 0;
    const whole = runs(start, stop);
    let text = read(whole, at + start);
    const isPart = begin > 0 || (isEnd && to.start > 0);
    // Where a part of a long line is selected, and the line is shown in another way, it is copied whole.
    if (text !== null && (!isPart || text === joined(whole))) {
      if (begin) text = joined(runs(start + begin, stop));
      // What is counted from a place in the line has in front of it what is before that place.
      if (isEnd && to.start > begin) text = joined(runs(start + begin, start + to.start)) + joined(runs(start + to.start, stop)).slice(0, to.column);
      else if (isEnd) text = text.slice(0, to.column);
      if (first) text = text.slice(from.column);
    }
    if (text !== null) texts.push(text);
    if (last && (newline < 0 || isEnd)) break;
    start = stop + 1;
  }
  return texts.join("\n");
}

/** What is shown of a line of which these are the runs, and which has this offset. */
export type Read = (runs: readonly Run[], at: number) => string | null;

const joined = (runs: readonly Run[]) => runs.map(({ text }) => text).join("");

/** A part of a log: its bytes, the offset of the first one, and how they are text. */
export interface Bytes {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly charset: Charset;
}

/** A place in a line's text: so many characters behind byte `start` of the line. */
interface Place {
  readonly column: number;
  readonly start: number;
}

const BEGINNING: Place = { column: 0, start: 0 };
const END: Place = { column: Infinity, start: 0 };
