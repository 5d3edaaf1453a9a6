/** Which of several logs has the next match: of each the nearest one is known, and the nearest of these is the next. Pure. */

/** A place among lines of all logs: a time, and among lines of that time a log, and a byte of it. */
export interface Place {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly log: number;
  /** Where the line begins. */
  readonly at: number;
}

/** 1: to later lines; -1: to earlier ones. */
export type Way = 1 | -1;

export function compare(one: Place, other: Place): number {
  return one.time - other.time || one.log - other.log || one.at - other.at;
}

/** Which lines of a log are behind this place, or in front of it, as `/search` takes it; null: all of them. */
export function beyond(from: Place | null, log: number, way: Way): Record<string, string> {
  const dir = way > 0 ? { dir: "forward" } : { dir: "back" };
  if (!from) return dir;
  if (from.log === log) return { ...dir, from: String(way > 0 ? from.at + 1 : from.at) };
  const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(3);
  // Of lines of the same time, those of the logs in front come first.
  if (way > 0) return { ...dir, since: seconds(from.time + (log < from.log ? 1 : 0)) };
  return { ...dir, until: seconds(from.time + (log < from.log ? 1 : 0)) };
}

/** The nearest of these. */
export function nearest<T extends Place>(places: Iterable<T | null>, way: Way): T | null {
  let best: T | null = null;
  for (const place of places) if (place && (!best || way * compare(place, best) < 0)) best = place;
  return best;
}
