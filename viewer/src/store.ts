/**
 * The lines of a log that are in memory: some around the view, and the newest. Pure; constant in size.
 *
 * A line has a number (from 1) and an offset. Until the server has counted a long log, the last lines have numbers that are
 * made up (`numbered` is false), far above any real one, so that there is room for those before them; `renumber` then moves all.
 */

import type { Charset } from "./charset.js";
import { look, PLAIN, type Style, styleAfter } from "./sgr.js";

/** As much of a line as is kept; of what is longer, the beginning and the end. */
export const KEPT = 16 * 1024;
const KEPT_END = 4 * 1024;

const SEGMENT = 500;
const MAX_SEGMENTS = 24;
const MAX_BYTES = 6 * 1024 * 1024;
const UNKNOWN = 2 ** 40;
/** Lines that are kept of what arrives at once: more than a window has. */
const NEWEST = 300;

export interface Line {
  /** Offset of its first byte. */
  readonly at: number;
  /** Its bytes, without the newline. */
  length: number;
  /** The first KEPT of them. */
  bytes: Uint8Array;
  /** If there are more, the last ones. */
  end: Uint8Array | null;
  /** Whether its newline has come. */
  finished: boolean;
  /** The style in force at its beginning. */
  readonly style: Style;
}

/** What the server answers when it is asked for lines. */
export interface Piece {
  /** Number of the first line, if the server knows it. */
  readonly first: number | null;
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Bytes of the whole log when it was asked. */
  readonly size: number;
  readonly style: Style;
  readonly time: number | null;
}

interface Segment {
  first: number;
  lines: Line[];
  bytes: number;
}

const decoder = new TextDecoder();

export class Store {
  /** Bytes of the log that have been seen: the next one has this offset. */
  size = 0;
  /** The number of the last line; 0 if there is none. */
  last = 0;
  numbered = true;

  #segments: Segment[] = [];
  /** The style in force after the last byte. */
  #style: Style = PLAIN;

  /** Begin with the last lines of the log. */
  open(piece: Piece): void {
    const lines = split(piece);
    this.size = piece.size;
    this.numbered = piece.first !== null || piece.offset === 0;
    const first = piece.first ?? (piece.offset === 0 ? 1 : UNKNOWN);
    this.last = first + lines.length - 1;
    this.#segments = lines.length ? [segment(first, lines)] : [];
    const newest = lines.at(-1);
    if (newest) {
      if (!newest.finished) newest.length = piece.size - newest.at;
      this.#style = styleBehind(newest);
    }
  }

  get(line: number): Line | undefined {
    const found = this.#segments.find(({ first, lines }) => line >= first && line < first + lines.length);
    return found?.lines[line - found.first];
  }

  /** The bytes of these lines, both included; null if they are not all in memory, each of them whole. */
  bytesOf(from: number, to: number): Uint8Array | null {
    const parts: Uint8Array[] = [];
    for (let at = from; at <= to; at++) {
      const line = this.get(at);
      if (!line || line.length > line.bytes.length) return null;
      parts.push(line.bytes);
      if (line.finished) parts.push(NEWLINE);
    }
    const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const part of parts) {
      whole.set(part, offset);
      offset += part.length;
    }
    return whole;
  }

  /** The line that holds the byte at this offset, if it is in memory. */
  lineAt(offset: number): number | null {
    for (const { first, lines } of this.#segments) {
      const newest = lines.at(-1)!;
      if (offset < lines[0]!.at || offset > newest.at + newest.length) continue;
      let [low, high] = [0, lines.length - 1];
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if (lines[middle]!.at <= offset) low = middle;
        else high = middle - 1;
      }
      return first + low;
    }
    return null;
  }

  /** The nearest line in memory that is above `line`, or below it. */
  nearest(line: number, direction: -1 | 1): number | null {
    let best: number | null = null;
    for (const { first, lines } of this.#segments) {
      const edge = direction < 0 ? first + lines.length - 1 : first;
      if ((edge - line) * direction > 0 && (best === null || (edge - best) * direction < 0)) best = edge;
    }
    return best;
  }

  /** The next bytes of the log, just received. */
  append(data: Uint8Array): void {
    let start = this.#skip(data);
    while (start < data.length) {
      const newline = data.indexOf(10, start);
      const stop = newline < 0 ? data.length : newline;
      this.#add(data, start, stop, newline >= 0);
      start = stop + 1;
    }
  }

  /**
   * In a flood, only the last lines are kept: those before them have gone by before anybody saw them. They are counted, and
   * asked for if somebody wants them. Returns where the last lines begin.
   */
  #skip(data: Uint8Array): number {
    let stop = data.length;
    for (let lines = 0; lines <= NEWEST && stop > 0; lines++) stop = data.lastIndexOf(10, stop - 1);
    const start = data.indexOf(10) + 1; // behind the line that has begun
    if (stop < start) return 0;
    this.#add(data, 0, start - 1, true);
    const skipped = data.subarray(start, ++stop);
    this.last += newlines(skipped);
    this.size += skipped.length;
    this.#style = after(skipped, this.#style);
    return stop;
  }

  #add(data: Uint8Array, start: number, stop: number, finished: boolean): void {
    let tail = this.#segments.at(-1);
    if (tail && tail.first + tail.lines.length - 1 !== this.last) tail = undefined;
    let line = tail?.lines.at(-1);
    if (line === undefined || line.finished) {
      line = { at: this.size, length: 0, bytes: NONE, end: null, finished: false, style: this.#style };
      if (!tail || tail.lines.length >= SEGMENT) this.#segments.push((tail = segment(this.last + 1, [])));
      tail.lines.push(line);
      this.last += 1;
    }
    const before = weight(line);
    extend(line, data, start, stop);
    line.finished = finished;
    tail!.bytes += weight(line) - before;
    this.size += stop - start + (finished ? 1 : 0);
    if (finished) this.#style = styleBehind(line);
  }

  /** Lines that were asked for. Those that are known already stay, and so do those that only the stream brings. */
  insert(piece: Piece, first: number): void {
    const lines = split(piece);
    const tail = this.#segments.at(-1);
    let begin = 0;
    for (let at = 0; at <= lines.length; at++) {
      const line = first + at;
      const known = at < lines.length && (this.get(line) !== undefined || (tail !== undefined && line >= tail.first));
      if (known || at === lines.length || at - begin >= SEGMENT) {
        if (at > begin) this.#segments.push(segment(first + begin, lines.slice(begin, at)));
        begin = known ? at + 1 : at;
      }
    }
    this.#segments.sort((one, other) => one.first - other.first);
  }

  /** The made-up number `line` turned out to be `real`. Returns by how much all numbers change. */
  renumber(line: number, real: number): number {
    const shift = real - line;
    for (const segment of this.#segments) segment.first += shift;
    this.last += shift;
    this.numbered = true;
    return shift;
  }

  /** Forget lines that are far from all of these. */
  trim(around: readonly number[]): void {
    let bytes = this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
    const distance = ({ first, lines }: Segment) => Math.min(...around.map((line) => Math.max(first - line, line - (first + lines.length - 1), 0)));
    while (this.#segments.length > 2 && (this.#segments.length > MAX_SEGMENTS || bytes > MAX_BYTES)) {
      const old = this.#segments.slice(0, -1).reduce((far, one) => (distance(one) > distance(far) ? one : far));
      if (distance(old) < 100) return;
      bytes -= old.bytes;
      this.#segments.splice(this.#segments.indexOf(old), 1);
    }
  }
}

const NONE = new Uint8Array(0);
const NEWLINE = new Uint8Array([10]);

/** The lines of a piece. */
export function split({ bytes, offset, style }: Piece): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const stop = newline < 0 ? bytes.length : newline;
    const line: Line = { at: offset + start, length: 0, bytes: NONE, end: null, finished: newline >= 0, style };
    extend(line, bytes, start, stop);
    lines.push(line);
    style = styleBehind(line);
    start = stop + 1;
  }
  return lines;
}

function extend(line: Line, data: Uint8Array, start: number, stop: number): void {
  line.length += stop - start;
  const room = KEPT - line.bytes.length;
  if (room > 0 && start < stop) line.bytes = join(line.bytes, data.subarray(start, Math.min(stop, start + room)));
  if (stop - start > room) {
    const rest = data.subarray(Math.max(start + room, stop - KEPT_END), stop);
    line.end = join(line.end ?? NONE, rest).slice(-KEPT_END);
  }
}

function join(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (one.length === 0) return other.slice(); // never a view of a buffer that is used again
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function styleBehind({ bytes, end, style }: Line): Style {
  return after(end ?? NONE, after(bytes, style));
}

/** The style in force after these bytes. What stands before a reset does not matter. */
function after(bytes: Uint8Array, style: Style): Style {
  if (!bytes.includes(27)) return style;
  const text = decoder.decode(bytes);
  look(text);
  return styleAfter(text.slice(Math.max(0, text.lastIndexOf("\x1b[0m"), text.lastIndexOf("\x1b[m"))), style);
}

export function newlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}

function weight(line: Line): number {
  return 120 + line.bytes.length + (line.end?.length ?? 0);
}

function segment(first: number, lines: Line[]): Segment {
  return { first, lines, bytes: lines.reduce((sum, line) => sum + weight(line), 0) };
}

/** The text of a line as far as it is kept, its style, and where in the line, in bytes, what is known ends. */
export function textOf({ at, bytes, end, length, finished, style }: Line, charset: Charset): { text: string; style: Style; known: number } {
  if (!end || bytes.length + end.length === length) {
    const whole = end ? join(bytes, end) : bytes;
    return { text: charset.decode(whole, at, finished), style, known: length };
  }
  // A bar that goes on and on without a newline is its last state.
  const start = returned(end);
  if (start < 0) return { text: charset.decode(bytes, at, false), style, known: bytes.length };
  const behind = after(end.subarray(0, start), after(bytes, style));
  return { text: charset.decode(end.subarray(start), at + length - end.length + start, finished), style: behind, known: length };
}

/** Where the text begins that is behind the first carriage return; -1 if there is none but those at the end, of CR LF. */
function returned(bytes: Uint8Array): number {
  let stop = bytes.length;
  while (bytes[stop - 1] === 13) stop--;
  return bytes.subarray(0, stop).indexOf(13) + 1 || -1;
}
