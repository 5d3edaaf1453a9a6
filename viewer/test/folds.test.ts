/** Groups that can be folded, also while they run; what ends does not fold under who reads it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Group } from "../src/api.js";
import { Folds } from "../src/folds.js";
import { end, type Geometry, move } from "../src/scroller.js";

const group = (start: number, end: number | null, collapsed = false): Group => ({ start, end, collapsed, title: "", level: 0, seconds: null, began: "" });

function geometry(folds: Folds, last: number): Geometry {
  return { last, window: 100, row: 20, height: () => 20, next: (line) => folds.next(line), previous: (line) => folds.previous(line) };
}

test("a group that has not ended is open, and is folded and unfolded with all that comes", () => {
  const folds = new Folds();
  folds.learn([group(3, null, true)]);
  assert.equal(folds.isFolded(3), false);
  assert.equal(folds.around(1000), 3);
  folds.toggle(3);
  assert.equal(folds.isFolded(3), true);
  assert.deepEqual([folds.next(2), folds.next(3), folds.previous(1001)], [3, Infinity, 3]);
  assert.deepEqual(end(geometry(folds, 1000)), { line: 1, offset: 0 });
  assert.deepEqual(move(geometry(folds, 1000), { line: 1, offset: 0 }, 500), { line: 1, offset: 0 });
  folds.learn([group(3, 900)]);
  assert.deepEqual([folds.isFolded(3), folds.next(3)], [true, 901]);
  folds.open(500);
  assert.equal(folds.next(3), 4);
});

test("a line that is gone to opens what has not ended", () => {
  const folds = new Folds();
  folds.learn([group(3, null)]);
  folds.toggle(3);
  folds.open(50);
  assert.equal(folds.isFolded(3), false);
});

test("a group that the log folds is not folded when it ends under who reads it", () => {
  for (const [read, folded] of [[[150, 151], false], [[3], true], [[300], true], [[], true]] as const) {
    const folds = new Folds();
    folds.learn([group(3, null, true)], read);
    folds.learn([group(3, 200, true)], read);
    assert.equal(folds.isFolded(3), folded);
    folds.learn([group(3, 200, true)], [100]);
    assert.equal(folds.isFolded(3), folded);
  }
});

test("a group that has come and gone between two questions is not folded under who reads it, either", () => {
  const folds = new Folds();
  folds.learn([group(3, 200, true)], [100]);
  assert.equal(folds.isFolded(3), false);
});

test("the end of a log whose last lines are folded is the line that folds them", () => {
  const folds = new Folds();
  folds.learn([group(50, 100, true)]);
  assert.deepEqual(end(geometry(folds, 100)), { line: 46, offset: 0 });
});

test("lines are as deep as the groups that are nested around them", () => {
  const folds = new Folds();
  const nested = (start: number, end: number | null, level: number) => ({ ...group(start, end), level });
  folds.learn([nested(2, 20, 0), nested(4, 10, 1), nested(6, 7, 2), nested(12, 13, 1), nested(30, null, 0), nested(32, null, 1)]);
  const levels = [[1, 0], [2, 0], [3, 0], [4, 1], [5, 1], [6, 2], [7, 2], [8, 1], [10, 1], [11, 0], [12, 1], [14, 0], [21, 0], [31, 0], [32, 1], [1e9, 1]];
  for (const [line, level] of levels) assert.equal(folds.level(line!), level, `line ${line}`);
});
