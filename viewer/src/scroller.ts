/**
 * Where the view is: the line at its top, and how many pixels of that line are above it. Pure.
 *
 * This anchor is the truth, and a scrollbar only shows it: so a log may have more lines than a browser has pixels, and one
 * step is one line anywhere. Small movements go pixel by pixel over the heights of lines; far ones name a line.
 */

export interface Anchor {
  readonly line: number;
  /** Pixels, 0 <= offset < height(line). */
  readonly offset: number;
}

/** The lines there are, and the window on them. Lines that are folded away are skipped by `next` and `previous`. */
export interface Geometry {
  /** The number of the last line; 0 if there is none. */
  readonly last: number;
  /** Height of the window in pixels. */
  readonly window: number;
  /** Height of most lines. */
  readonly row: number;
  height(line: number): number;
  next(line: number): number;
  previous(line: number): number;
}

/** The anchor at which the last line ends at the bottom of the window; the first line, if there are too few. */
export function end(lines: Geometry): Anchor {
  let line = lines.previous(lines.last + 1);
  if (line < 1) return { line: 1, offset: 0 };
  let above = lines.height(line) - lines.window;
  while (above < 0) {
    const previous = lines.previous(line);
    if (previous < 1) return { line: 1, offset: 0 };
    line = previous;
    above += lines.height(line);
  }
  return { line, offset: above };
}

/** `anchor`, or the nearest place that the log has. */
export function clamp(lines: Geometry, anchor: Anchor): Anchor {
  if (anchor.line < 1) return { line: 1, offset: 0 };
  // Far from the end there is nothing to look at: lines have heights, and the window is small.
  if (anchor.line + lines.window / lines.row + 1 < lines.last && lines.next(anchor.line) === anchor.line + 1) return anchor;
  const limit = end(lines);
  return compare(anchor, limit) > 0 ? limit : anchor;
}

export function compare(one: Anchor, other: Anchor): number {
  return one.line - other.line || one.offset - other.offset;
}

/** `anchor`, moved by so many pixels; down if they are positive. */
export function move(lines: Geometry, anchor: Anchor, pixels: number): Anchor {
  let { line, offset } = anchor;
  offset += pixels;
  while (offset < 0) {
    const previous = lines.previous(line);
    if (previous < 1) return { line: 1, offset: 0 };
    line = previous;
    offset += lines.height(line);
  }
  while (offset >= lines.height(line)) {
    const next = lines.next(line);
    if (next > lines.last) return end(lines);
    offset -= lines.height(line);
    line = next;
  }
  return clamp(lines, { line, offset });
}

/** The lines in the window, from the anchor down. */
export function visible(lines: Geometry, anchor: Anchor): number[] {
  const shown: number[] = [];
  let bottom = -anchor.offset;
  for (let line = anchor.line; line <= lines.last && bottom < lines.window; line = lines.next(line)) {
    shown.push(line);
    bottom += lines.height(line);
  }
  return shown;
}

/** The anchor that has `line` in the middle of the window. */
export function centred(lines: Geometry, line: number): Anchor {
  return move(lines, { line, offset: 0 }, -(lines.window - lines.height(line)) / 2);
}

/** Lines that the view can move over, from the first anchor to that of the end. */
function span(lines: Geometry): number {
  const limit = end(lines);
  return limit.line - 1 + limit.offset / lines.height(limit.line);
}

/** How far down the log the view is, from 0 to 1. */
export function ratio(lines: Geometry, anchor: Anchor): number {
  const above = anchor.line - 1 + anchor.offset / lines.height(anchor.line);
  return Math.min(1, Math.max(0, above / span(lines) || 0));
}

/** The anchor so far down the log: 0 is the first line, 1 the end. */
export function at(lines: Geometry, ratio: number): Anchor {
  if (ratio >= 1) return end(lines);
  const place = 1 + Math.max(0, ratio) * span(lines);
  const line = lines.previous(lines.next(Math.floor(place)));
  return clamp(lines, { line, offset: line === Math.floor(place) ? (place % 1) * lines.height(line) : 0 });
}

/** The thumb of a scrollbar: its top and its height as parts of the bar, which is `bar` pixels high. */
export function thumb(lines: Geometry, anchor: Anchor, bar: number): { top: number; height: number } {
  const all = Math.max(1, lines.last);
  const height = Math.max(1 - span(lines) / all, Math.min(1, 32 / Math.max(1, bar)));
  return { top: ratio(lines, anchor) * (1 - height), height };
}
