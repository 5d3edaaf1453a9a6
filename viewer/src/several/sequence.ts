/**
 * Lines of one log or of several in one order: that of their arrival times. Pure; constant in size.
 *
 * Of all lines a window is kept, and of each log some lines in front of the window and behind it, in reserve. The window can grow at both
 * ends; what it has too much, it forgets at the other one. `wants` says what has to be read for that, `take` takes what was read.
 *
 * 1. The order of lines of one log never changes. Lines of equal times are in the order of their logs.
 * 2. A line that was read late is put where it belongs.
 */

import { PLAIN, type Style, styleAfter } from "../sgr.js";

/** Lines that are read at once, and by which the window grows. */
export const CHUNK = 300;
/** Lines of the window, at most. */
export const MOST = 1200;

/** A line as it was read. */
export interface Told {
  readonly line: number;
  /** Where it begins; bytes. */
  readonly at: number;
  /** When it began to arrive; milliseconds since the epoch. */
  readonly time: number;
  readonly text: string;
}

/** A line of the log `track`. It is the same object as long as it is kept; the text of a log's last line may grow. */
export interface Entry extends Told {
  readonly track: number;
  text: string;
  /** The style in force at its beginning, as far as it is known. */
  readonly style: Style;
}

/** Where a window begins: at the end of all logs, at their beginning, or at a time; there, of one log, at a byte. */
export type Place = "end" | "start" | { readonly time: number; readonly track?: number; readonly at?: number };

/** Lines that have to be read: `query` as `/lines` takes it, at most `CHUNK` lines. */
export interface Want {
  readonly track: number;
  readonly kind: "open" | "back" | "on";
  readonly query: Readonly<Record<string, string>>;
  /** What it was asked for: an answer of something else comes too late. */
  readonly from: number;
}

/** What was read. */
export interface Answer {
  readonly lines: readonly Told[];
  /** Whether these are all lines that there are on from the first one. */
  readonly whole: boolean;
  /** Bytes of the log when it was asked. */
  readonly size: number;
}

/** What is known of one log. */
export class Track {
  /** Bytes of the log, as far as is known. */
  size = 0;
  /** Whether there is such a log. */
  exists = false;
  /** Why nothing of it can be read any more; empty: it can. */
  closed = "";
  /** Whether the others do not wait for its first lines. */
  late = false;
  opened = false;
  /** Lines in reserve, in front of the window and behind it. */
  before: Entry[] = [];
  behind: Entry[] = [];
  /** What is in front of this byte is not known. */
  top = 0;
  /** From this byte on is to be read. */
  resume = 0;
  /** What is in front of this byte was read. */
  covered = 0;
  /** The last line that is known. */
  last: Entry | null = null;

  reset(): void {
    this.opened = false;
    this.late = false;
    this.before = [];
    this.behind = [];
    this.top = this.resume = this.covered = 0;
    this.last = null;
  }

  /** Whether there is more behind what is known, and in front of it. */
  get hasMore(): boolean {
    return this.exists && !this.closed && this.opened && this.covered < this.size;
  }

  get hasEarlier(): boolean {
    return this.exists && !this.closed && this.opened && this.top > 0;
  }

  /** Whether its first lines are still to come. */
  get isAwaited(): boolean {
    return this.exists && !this.closed && !this.opened;
  }
}

function order(one: Entry, other: Entry): number {
  return one.time - other.time || one.track - other.track || one.at - other.at;
}

export class Sequence {
  readonly tracks: readonly Track[];
  entries: Entry[] = [];
  /** Whether the window stays at the end, whatever comes. */
  following = true;
  /** Whether somebody looks at the beginning of the window, and at its end. */
  demand = { above: false, below: false };
  /** Counts the changes of `entries`. */
  changes = 0;
  /** Counts the windows. */
  epoch = 0;
  #place: Place = "end";

  constructor(count: number) {
    this.tracks = Array.from({ length: count }, () => new Track());
  }

  /** Make a new window. */
  open(place: Place): void {
    this.#place = place;
    this.following = place === "end";
    this.demand = { above: true, below: true };
    this.epoch++;
    this.entries = [];
    this.changes++;
    for (const track of this.tracks) track.reset();
  }

  /** Whether the first lines of all logs are here. */
  get isOpen(): boolean {
    return !this.tracks.some((track) => track.isAwaited && !track.late);
  }

  /** Whether there is nothing behind the window. */
  get isAtEnd(): boolean {
    return this.isOpen && !this.tracks.some((track) => track.hasMore || track.behind.length);
  }

  /** Whether there is nothing in front of it. */
  get isAtStart(): boolean {
    return this.isOpen && !this.tracks.some((track) => track.hasEarlier || track.before.length);
  }

  /** Have logs that do not answer keep the others back no longer. */
  waitNoMore(): void {
    for (const track of this.tracks) track.late = true;
    this.fill();
  }

  /** What has to be read now. */
  wants(): Want[] {
    const wants: Want[] = [];
    const count = String(CHUNK);
    for (const [at, track] of this.tracks.entries()) {
      if (track.isAwaited) wants.push({ track: at, kind: "open", query: this.#opening(at, count), from: this.epoch });
      else if (track.hasMore && !track.behind.length && (this.following || this.demand.below)) {
        wants.push({ track: at, kind: "on", query: { from: `byte:${track.resume}`, count }, from: track.resume });
      } else if (track.hasEarlier && !track.before.length && this.#growsAbove) {
        wants.push({ track: at, kind: "back", query: { from: `byte:${track.top}`, count: `-${count}` }, from: track.top });
      }
    }
    return wants;
  }

  /** What is looked at at the end is not forgotten for what is in front. */
  get #growsAbove(): boolean {
    return this.demand.above && !((this.following || this.demand.below) && this.entries.length > MOST - CHUNK);
  }

  #opening(track: number, count: string): Record<string, string> {
    const place = this.#place;
    if (place === "end") return { tail: count };
    if (place === "start") return { from: "byte:0", count };
    return { from: place.track === track ? `byte:${place.at}` : `time:${(place.time / 1000).toFixed(3)}`, count };
  }

  /** Take what was read. */
  take(want: Want, answer: Answer): void {
    const track = this.tracks[want.track]!;
    const { lines, whole, size } = answer;
    track.size = Math.max(track.size, size);
    if (want.kind === "open") {
      if (want.from !== this.epoch || track.opened) return;
      const made = this.#made(want.track, lines, PLAIN);
      track.opened = true;
      track.last = made.at(-1) ?? null;
      track.top = made[0]?.at ?? size;
      track.resume = track.last?.at ?? size;
      track.covered = whole ? size : track.resume;
      if (this.#place === "end") track.before = made;
      else track.behind = made;
    } else if (want.kind === "back") {
      if (want.from !== track.top || track.before.length) return;
      track.before = this.#made(want.track, lines, PLAIN);
      track.last ??= track.before.at(-1) ?? null;
      track.top = track.before[0]?.at ?? 0;
    } else {
      if (want.from !== track.resume || track.behind.length) return;
      if (!whole && this.following) return this.open("end"); // nobody has seen what went by
      this.#goOn(want.track, track, lines);
      track.covered = whole ? Math.max(track.covered, size) : track.resume;
    }
    this.fill();
  }

  /** Take lines that follow those that are known; the first of them may be the last one that is known, which has grown. */
  #goOn(at: number, track: Track, lines: readonly Told[]): void {
    const { last } = track;
    const [first] = lines;
    if (last && first?.at === last.at && first.text !== last.text) {
      last.text = first.text;
      this.changes++;
    }
    const fresh = lines.filter(({ at }) => at >= track.resume && at !== last?.at);
    track.behind = this.#made(at, fresh, last ? styleAfter(last.text, last.style) : PLAIN);
    track.last = track.behind.at(-1) ?? last;
    track.resume = track.behind.at(-1)?.at ?? track.resume;
  }

  #made(track: number, lines: readonly Told[], style: Style): Entry[] {
    return lines.map((told) => {
      const entry: Entry = { ...told, track, style };
      style = styleAfter(told.text, style);
      return entry;
    });
  }

  /** Have the window grow, as far as it should and what is in reserve allows. */
  fill(): void {
    if (!this.isOpen) return;
    if (!this.entries.length) {
      if (this.#place === "end") this.#above();
      this.#below();
      if (!this.entries.length && this.isAtEnd) this.#above();
      return;
    }
    this.#insertLate();
    if (this.#growsAbove) this.#above();
    if (this.following || this.demand.below) this.#below();
  }

  /** Lines of a log that was opened after the others, which belong into the window. */
  #insertLate(): void {
    for (const { before, behind } of this.tracks) {
      while (before.length && order(before.at(-1)!, this.entries[0]!) > 0) this.#insert(before.pop()!);
      while (behind.length && order(behind[0]!, this.entries.at(-1)!) < 0) this.#insert(behind.shift()!);
    }
  }

  #above(): void {
    const added: Entry[] = [];
    while (added.length < CHUNK) {
      if (this.tracks.some((track) => track.hasEarlier && !track.before.length)) break; // it may have the next one
      const next = this.tracks.filter(({ before }) => before.length).reduce<Track | null>(
        (best, track) => (best && order(best.before.at(-1)!, track.before.at(-1)!) > 0 ? best : track), null);
      if (!next) break;
      added.push(next.before.pop()!);
    }
    if (!added.length) return;
    this.entries.unshift(...added.reverse());
    this.changes++;
    const dropped = this.entries.splice(MOST);
    for (const entry of dropped.reverse()) {
      const track = this.tracks[entry.track]!;
      track.behind = [];
      track.last = null;
      track.resume = track.covered = entry.at;
    }
  }

  #below(): void {
    for (let added = 0; this.following || added < CHUNK; added++) {
      if (!this.following && this.tracks.some((track) => track.hasMore && !track.behind.length)) break;
      const next = this.tracks.filter(({ behind }) => behind.length).reduce<Track | null>(
        (best, track) => (best && order(best.behind[0]!, track.behind[0]!) < 0 ? best : track), null);
      if (!next) break;
      this.#insert(next.behind.shift()!);
    }
    for (const entry of this.entries.splice(0, Math.max(0, this.entries.length - MOST))) {
      const track = this.tracks[entry.track]!;
      track.before = [entry];
      track.top = entry.at;
      this.changes++;
    }
  }

  /** Put a line where it belongs. One that is older than the window belongs in front of it. */
  #insert(entry: Entry): void {
    let place = this.entries.length;
    while (place > 0 && this.entries[place - 1]!.track !== entry.track && order(this.entries[place - 1]!, entry) > 0) place--;
    const track = this.tracks[entry.track]!;
    if (place === 0 && this.entries.length && !this.isAtStart) {
      if (!track.before.length) track.top = entry.at;
      track.before.push(entry);
      return;
    }
    this.entries.splice(place, 0, entry);
    this.changes++;
  }

  /** The first line of the window that came at this time or later: its place; -1: there is none. */
  indexAt(time: number): number {
    return this.entries.findIndex((entry) => entry.time >= time);
  }
}
