/** Gaps between lines: each is marked at one line, by what is known of that line alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GapMap } from "../src/gaps.js";
import { PLAIN } from "../src/sgr.js";
import type { Line } from "../src/store.js";

const line = (at: number, length: number, finished = true): Line => ({ at, length, finished, bytes: new Uint8Array(length), end: null, style: PLAIN });

test("a gap is above the line that came after it, and below one in which it is", () => {
  const gaps = new GapMap();
  gaps.set([{ seconds: 7, offset: 10 }, { seconds: 60, offset: 25 }, { seconds: 5, offset: 28 }, { seconds: 4.9, offset: 0 }, { seconds: 9, offset: 30 }]);
  assert.deepEqual([gaps.above(line(0, 9)), gaps.below(line(0, 9))], [0, 0]);
  assert.deepEqual([gaps.above(line(10, 9)), gaps.below(line(10, 9))], [7, 0]);
  assert.deepEqual([gaps.above(line(20, 9)), gaps.below(line(20, 9))], [0, 65]); // also in front of its newline
  assert.deepEqual([gaps.above(line(30, 2, false)), gaps.below(line(30, 2, false))], [9, 0]); // behind it the log only ended
});

test("what is behind the last byte of a line without a newline is not in it", () => {
  const gaps = new GapMap();
  gaps.set([{ seconds: 7, offset: 5 }]);
  assert.deepEqual([gaps.below(line(0, 5, false)), gaps.below(line(0, 5)), gaps.below(line(0, 6, false))], [0, 7, 7]);
});

test("of a thousand gaps each is found at its line", () => {
  const gaps = new GapMap();
  gaps.set(Array.from({ length: 1000 }, (_, at) => ({ seconds: 5 + at, offset: 100 * at })).reverse());
  for (let at = 0; at < 1000; at++) assert.equal(gaps.above(line(100 * at, 50)), 5 + at);
  assert.equal(gaps.below(line(1, 99_998)), Array.from({ length: 999 }, (_, at) => 6 + at).reduce((sum, seconds) => sum + seconds));
});
