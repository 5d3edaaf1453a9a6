/** Where in what is shown of a line a hit is. Pure. */

import { parse } from "./ansi.js";
import type { Charset } from "./charset.js";
import type { Slice } from "./content.js";
import { STAMPED, stampOf } from "./stamp.js";
import type { Line } from "./store.js";

/** Characters that a mark of a group may have. */
const AROUND = 10;

/** Where in the shown `text` of a line these bytes of it are, if they are: from a character to another one. */
export function locate(text: string, line: Line, charset: Charset, slice: Slice | undefined, offset: number, length: number): [number, number] | null {
  const { bytes, start } = slice ?? { bytes: line.bytes, start: 0 };
  const from = offset - line.at - start;
  if (from < 0 || from + length > bytes.length) return null;
  const shown = (one: number, other: number) => parse(charset.decode(bytes.subarray(one, other), line.at + start + one, false), line.style).runs.map(({ text }) => text).join("");
  const hit = shown(from, from + length);
  // The time in front of the line may not be shown.
  const stamp = stampOf(shown(0, STAMPED))?.length ?? 0;
  const column = shown(0, from).length - (stampOf(text) ? 0 : stamp);
  if (!hit || column - AROUND >= text.length) return null;
  // A mark in front of it is shown in other words, or it was moved.
  const near = text.indexOf(hit, Math.max(0, column - AROUND));
  const at = near < 0 ? text.indexOf(hit) : near;
  return at < 0 ? null : [at, at + hit.length];
}
