/** The text of a part of a log, as a terminal would show it. Pure. */

import { parse } from "./ansi.js";
import type { Charset } from "./charset.js";
import { PLAIN } from "./sgr.js";

/** Lines as a terminal would show them, from one place in the first of them to one in the last; all of them, if there are none. */
export function plain({ bytes, at, charset }: Bytes, from: Place = BEGINNING, to: Place = END): string {
  const shown = (start: number, stop: number) => parse(charset.decode(bytes.subarray(start, stop), at + start), PLAIN).runs.map(({ text }) => text).join("");
  const texts: string[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const stop = newline < 0 ? bytes.length : newline;
    const [first, last] = [start === 0, newline < 0 || newline === bytes.length - 1];
    const begin = first ? from.start : 0;
    let text = shown(start + begin, stop);
    if (last && to.column !== Infinity) {
      // What is counted from a place in the line has in front of it what is before that place.
      if (to.start > begin) text = shown(start + begin, start + to.start) + shown(start + to.start, stop).slice(0, to.column);
      else text = text.slice(0, to.column);
    }
    texts.push(first ? text.slice(from.column) : text);
    if (last && (newline < 0 || to.column !== Infinity)) break;
    start = stop + 1;
  }
  return texts.join("\n");
}

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
