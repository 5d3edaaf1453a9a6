/** Several logs in one order: whatever is read, and in whichever order answers come, lines are all there, once, each log's in its own order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { folderOf, read, readLines, write, writeLines } from "../src/several/address.js";
import { beyond, compare, nearest, type Place } from "../src/several/heads.js";
import { kept } from "../src/several/lines.js";
import { type Answer, CHUNK, MOST, Sequence, type Told, type Want } from "../src/several/sequence.js";
import { random } from "./random.js";

/** A log as the server has it: each line has 10 bytes. */
class Log {
  readonly lines: Told[] = [];

  add(time: number, text = `${this.lines.length}`): void {
    this.lines.push({ line: this.lines.length + 1, at: 10 * this.lines.length, time, text });
  }

  get size(): number {
    return 10 * this.lines.length;
  }

  answer({ kind, query }: Want): Answer {
    const { lines, size } = this;
    const [count, { tail, from }] = [Number(query["count"] ?? 0), query];
    if (tail) return { lines: lines.slice(-Number(tail)), whole: true, size };
    const [unit, value] = from!.split(":") as [string, string];
    const place = unit === "byte" ? Math.min(lines.length, Math.floor(Number(value) / 10)) : lines.findIndex(({ time }) => time >= 1000 * Number(value));
    const first = place < 0 ? lines.length : place;
    if (kind === "back") return { lines: lines.slice(Math.max(0, first + count), first), whole: true, size };
    const told = lines.slice(first, first + count);
    return { lines: told, whole: told.length < CHUNK, size };
  }
}

/** Answer what is wanted, in any order, until nothing is. */
function serve(sequence: Sequence, logs: readonly Log[], next: (limit: number) => number): void {
  for (const [at, log] of logs.entries()) {
    sequence.tracks[at]!.exists = true;
    sequence.tracks[at]!.size = Math.max(sequence.tracks[at]!.size, log.size);
  }
  for (let round = 0; round < 1000; round++) {
    sequence.fill();
    const wants = sequence.wants();
    if (!wants.length) return;
    const want = wants[next(wants.length)]!;
    sequence.take(want, logs[want.track]!.answer(want));
  }
  assert.fail("it wants more and more");
}

const shown = (sequence: Sequence) => sequence.entries.map(({ track, text }) => `${track}:${text}`);

/** All lines of these logs in order. */
function merged(logs: readonly Log[]): string[] {
  return logs.flatMap(({ lines }, track) => lines.map((told) => ({ ...told, track })))
    .sort((one, other) => one.time - other.time || one.track - other.track || one.at - other.at)
    .map(({ track, text }) => `${track}:${text}`);
}

function grow(logs: readonly Log[], next: (limit: number) => number, count: number, from: number): number {
  for (let added = 0; added < count; added++) logs[next(logs.length)]!.add((from += next(3) ? 0 : 10));
  return from;
}

test("what comes is at the end of the window, in order, whichever log answers first", () => {
  for (let seed = 1; seed <= 6; seed++) {
    const next = random(seed);
    const logs = Array.from({ length: 1 + next(5) }, () => new Log());
    let time = grow(logs, next, next(3000), 1000);
    const sequence = new Sequence(logs.length);
    sequence.open("end");
    for (let round = 0; round < 20; round++) {
      serve(sequence, logs, next);
      assert.ok(sequence.entries.length <= MOST);
      const expected = merged(logs);
      assert.deepEqual(shown(sequence), expected.slice(expected.length - sequence.entries.length));
      assert.ok(sequence.isAtEnd);
      time = grow(logs, next, next(250), time);
    }
  }
});

test("the window is moved to the beginning and back, and no line is missing on the way", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const next = random(seed);
    const logs = Array.from({ length: 1 + next(4) }, () => new Log());
    let time = grow(logs, next, 4000, 1000);
    const sequence = new Sequence(logs.length);
    sequence.open("end");
    serve(sequence, logs, next);
    const at = () => {
      const all = merged(logs);
      const place = all.indexOf(shown(sequence)[0]!);
      assert.deepEqual(shown(sequence), all.slice(place, place + sequence.entries.length));
      assert.ok(sequence.entries.length <= MOST);
      return place;
    };
    for (let round = 0; round < 60 && !sequence.isAtStart; round++) {
      sequence.following = false;
      sequence.demand = { above: true, below: false };
      serve(sequence, logs, next);
      at();
      if (round === 0) time = grow(logs, next, 500, time + 10);
    }
    assert.equal(at(), 0);
    for (let round = 0; round < 60 && !sequence.isAtEnd; round++) {
      sequence.demand = { above: false, below: true };
      serve(sequence, logs, next);
      at();
    }
    assert.equal(at() + sequence.entries.length, 4500);
  }
});

test("a window begins at a time, or at the beginning", () => {
  const next = random(7);
  const logs = [new Log(), new Log(), new Log()];
  grow(logs, next, 5000, 1000);
  const sequence = new Sequence(3);
  sequence.open({ time: 5000 });
  sequence.demand = { above: false, below: false };
  serve(sequence, logs, next);
  assert.equal(sequence.entries[0]!.time, 5000);
  sequence.demand = { above: true, below: false };
  serve(sequence, logs, next);
  const all = merged(logs);
  assert.deepEqual(shown(sequence), all.slice(all.indexOf(shown(sequence)[0]!)).slice(0, sequence.entries.length));
  sequence.open("start");
  sequence.demand = { above: false, below: false };
  serve(sequence, logs, next);
  assert.deepEqual(shown(sequence), all.slice(0, sequence.entries.length));
});

test("a line that grows is the same line, and a log that answers late or not at all holds nobody back for ever", () => {
  const logs = [new Log(), new Log()];
  logs[0]!.add(1000, "ha");
  logs[1]!.add(990, "late");
  const sequence = new Sequence(2);
  sequence.open("end");
  for (const [at, track] of sequence.tracks.entries()) Object.assign(track, { exists: true, size: logs[at]!.size });
  const [one, other] = sequence.wants() as [Want, Want];
  sequence.take(one, logs[0]!.answer(one));
  assert.deepEqual(shown(sequence), []);
  sequence.waitNoMore();
  assert.deepEqual(shown(sequence), ["0:ha"]);
  sequence.take(other, logs[1]!.answer(other));
  sequence.demand = { above: true, below: true };
  sequence.fill();
  assert.deepEqual(shown(sequence), ["1:late", "0:ha"]);
  const [, entry] = sequence.entries;
  logs[0]!.lines[0] = { ...logs[0]!.lines[0]!, text: "half" };
  sequence.tracks[0]!.size = 12;
  const [more] = sequence.wants();
  sequence.take(more!, { ...logs[0]!.answer(more!), size: 12 });
  assert.deepEqual(shown(sequence), ["1:late", "0:half"]);
  assert.equal(sequence.entries[1], entry);
  sequence.tracks[1]!.closed = "removed";
  assert.deepEqual(sequence.wants(), []);
});

test("from match to match, those of all logs are gone through in the order of merged lines, both ways", () => {
  const next = random(3);
  const places: Place[] = Array.from({ length: 200 }, (_, at) => ({ time: 1000 + 10 * next(20), log: next(4), at })).sort((one, other) => one.log - other.log || one.at - other.at);
  let time = 0;
  const logs = [0, 1, 2, 3].map((log) => places.filter((place) => place.log === log).map((place, at) => ({ log, at: 10 * at, time: (time = at ? Math.max(time, place.time) : place.time) })));
  const all = logs.flat().sort(compare);
  /** What a server says of one log. */
  const ask = (log: number, { dir, from, since, until }: Record<string, string>): Place | null => {
    const found = logs[log]!.filter((place) => (from === undefined || (dir === "back" ? place.at < Number(from) : place.at >= Number(from)))
      && (since === undefined || place.time >= Math.round(1000 * Number(since))) && (until === undefined || place.time < Math.round(1000 * Number(until))));
    return found.at(dir === "back" ? -1 : 0) ?? null;
  };
  for (const way of [1, -1] as const) {
    const passed: Place[] = [];
    for (let place: Place | null = null; ; passed.push(place)) {
      place = nearest(logs.map((_, log) => ask(log, beyond(place, log, way))), way);
      if (!place) break;
    }
    assert.deepEqual(passed, way > 0 ? all : all.toReversed());
  }
});

test("of a long line its beginning is kept, of a long bar its last state", () => {
  assert.equal(kept("x".repeat(4096)), "x".repeat(4096));
  assert.equal(kept("x".repeat(5000)), `${"x".repeat(4096)} …`);
  assert.equal(kept(`${"10 %\r".repeat(2000)}100 %`).endsWith("\r100 %"), true);
});

test("a value that must not be shown is not kept", () => {
  assert.equal(kept("::add-mask::hunter2"), "::add-mask::***");
  assert.equal(kept(`2026-11-28T02:03:04Z ::add-mask::${"x".repeat(5000)}`), "2026-11-28T02:03:04Z ::add-mask::***");
  assert.equal(kept("echo ::add-mask::hunter2"), "echo ::add-mask::hunter2");
});

test("an address names each log once, and as many as there is room for", () => {
  assert.deepEqual(read("?logs=b/1,b/2,b/1"), { names: ["b/1", "b/2"], form: "side" });
  assert.deepEqual(read("?logs=a,b,c,d"), { names: ["a", "b", "c", "d"], form: "merged" });
  assert.equal(read(`?logs=${Array.from({ length: 30 }, (_, at) => at)}`).names.length, 20);
  assert.equal(write({ names: ["b/1", "b/~2"], form: "merged" }), "?logs=b/1,b/~2&as=merged");
  assert.deepEqual([folderOf(["b/4/x", "b/4/y"]), folderOf(["b/4/x", "b/5"]), folderOf(["b", "c"]), folderOf(["b/1"])], ["b/4/", "b/", "", "b/"]);
});

test("a fragment names lines of one log", () => {
  assert.deepEqual(readLines("#2:L120-L140", 2), { log: 1, from: 120, to: 140 });
  assert.deepEqual(readLines("#1:L7", 1), { log: 0, from: 7, to: 7 });
  for (const other of ["", "#", "#L7", "#0:L7", "#3:L7", "#2:B7", "#2:", "#token=x", "#2:L0"]) assert.equal(readLines(other, 2), null, other);
  for (const hash of ["#1:L7", "#20:L7-L9"]) assert.equal(writeLines(readLines(hash, 20)), hash);
  assert.equal(writeLines(null), "");
});
