/** What is shown of a line: its text in runs, and how much is not shown. Pure. */

import { parse, type Run, type Style } from "./ansi.js";
import type { Charset } from "./charset.js";
import { type Line, textOf } from "./store.js";

/** Characters that are shown of a line at first, and how much more each time. */
export const SHOWN = 4096;
export const MORE = 8;
export const MOST = SHOWN * MORE ** 3;

/** A part of a long line that somebody wanted to see. Its places are bytes, from the beginning of the line. */
export interface Slice {
  readonly start: number;
  readonly stop: number;
  readonly text: string;
  readonly bytes: Uint8Array;
  /** The style in force at its beginning. */
  readonly style: Style;
}

export interface Content {
  readonly runs: Run[];
  /** Bytes of the line that are in front of what is shown, and behind it. */
  readonly before: number;
  readonly behind: number;
}

const ADDRESS = /(\bhttps?:\/\/[^\s"'<>`]*[^\s"'<>`.,:;!?)\]}])/;

export function contentOf(line: Line, charset: Charset, slice?: Slice): Content {
  const { text, style, known } = slice ? { ...slice, known: slice.stop } : textOf(line, charset);
  const { runs, stop } = parse(text, style, slice ? Infinity : SHOWN);
  const hidden = text.slice(stop);
  let room = slice ? Infinity : SHOWN;
  const shown: Run[] = [];
  let beyond = "";
  for (const run of runs.flatMap(linked)) {
    // What is written over has all its cells.
    if (room > 0) shown.push(run.text.length > room ? { ...run, text: run.text.slice(0, room) } : run);
    beyond += run.text.slice(Math.max(0, room));
    room -= run.text.length;
  }
  const cut = hidden || beyond;
  const last = shown.at(-1);
  if (cut && last && last.href === last.text) shown.splice(-1, 1, { ...last, href: "" }); // half of an address leads nowhere
  return { runs: shown, before: slice?.start ?? 0, behind: charset.size(hidden + beyond) + line.length - known };
}

/** Addresses in text are links, too. */
export function linked(run: Run): Run[] {
  if (run.href) return [run];
  return run.text.split(ADDRESS).map((text, at) => ({ ...run, text, href: at % 2 ? text : "" })).filter(({ text }) => text);
}
