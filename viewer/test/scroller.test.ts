/** The scroller's arithmetic: a step is a line anywhere, far places are reached, and nothing moves by itself. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Folds } from "../src/folds.js";
import * as scroller from "../src/scroller.js";
import { random } from "./random.js";

const ROW = 20;

function log(last: number, changes: Partial<scroller.Geometry> = {}): scroller.Geometry {
  return { last, window: 600, row: ROW, height: () => ROW, next: (line) => line + 1, previous: (line) => line - 1, ...changes };
}

/** Lines of one to five rows. */
const uneven = (last: number) => log(last, { height: (line) => ROW * (1 + ((line * 7) % 5)) });

const bottom = (lines: scroller.Geometry, anchor: scroller.Anchor) =>
  scroller.visible(lines, anchor).reduce((sum, line) => sum + lines.height(line), -anchor.offset);

for (const [name, lines] of [["even", log(1e8)], ["uneven", uneven(1e8)]] as const) {
  test(`at the end the last of ${name} lines is at the bottom of the window`, () => {
    const anchor = scroller.end(lines);
    assert.equal(scroller.visible(lines, anchor).at(-1), 1e8);
    assert.equal(bottom(lines, anchor), lines.window);
  });

  test(`moving down and up again over ${name} lines comes back, also in the middle of a hundred million`, () => {
    const next = random(1);
    for (let round = 0; round < 2000; round++) {
      const line = 1000 + next(9e7);
      const anchor = { line, offset: next(lines.height(line)) };
      const way = next(3000);
      assert.deepEqual(scroller.move(lines, scroller.move(lines, anchor, way), -way), anchor);
    }
  });
}

test("a step of one row is one line, at line fifty million as at the first", () => {
  for (const line of [1, 5e7, 1e8 - 31]) assert.equal(scroller.move(log(1e8), { line, offset: 0 }, ROW).line, line + 1);
});

test("nothing moves beyond the first line or the end", () => {
  const lines = uneven(1000);
  assert.deepEqual(scroller.move(lines, { line: 3, offset: 5 }, -1e6), { line: 1, offset: 0 });
  assert.deepEqual(scroller.move(lines, { line: 990, offset: 5 }, 1e6), scroller.end(lines));
  assert.deepEqual(scroller.clamp(lines, { line: 2000, offset: 0 }), scroller.end(lines));
});

test("a log that fits into the window does not move", () => {
  const lines = log(10);
  for (const way of [-100, 0, 100]) assert.deepEqual(scroller.move(lines, { line: 1, offset: 0 }, way), { line: 1, offset: 0 });
  assert.equal(scroller.ratio(lines, { line: 1, offset: 0 }), 0);
  assert.equal(scroller.thumb(lines, { line: 1, offset: 0 }, 600).height, 1);
});

test("a log without lines has a place all the same", () => {
  assert.deepEqual(scroller.end(log(0)), { line: 1, offset: 0 });
  assert.deepEqual(scroller.visible(log(0), { line: 1, offset: 0 }), []);
});

test("the thumb names the first line, the middle and the end, and the place it names is where it is", () => {
  const lines = log(1e8);
  assert.equal(scroller.at(lines, 0).line, 1);
  assert.ok(Math.abs(scroller.at(lines, 0.5).line - 5e7) < 1e6);
  assert.deepEqual(scroller.at(lines, 1), scroller.end(lines));
  for (let part = 0; part <= 1; part += 0.05) assert.ok(Math.abs(scroller.ratio(lines, scroller.at(lines, part)) - part) < 1e-6);
  assert.ok(scroller.thumb(lines, scroller.end(lines), 600).height >= 32 / 600);
});

test("a line is centred, but for those near the ends", () => {
  const lines = log(1000);
  assert.equal(scroller.visible(lines, scroller.centred(lines, 500))[15], 500);
  assert.equal(scroller.centred(lines, 3).line, 1);
  assert.deepEqual(scroller.centred(lines, 999), scroller.end(lines));
});

const GROUPS = [
  { start: 10, end: 20, title: "one", level: 0, collapsed: true, seconds: null, began: "" },
  { start: 12, end: 15, title: "inner", level: 1, collapsed: true, seconds: null, began: "" },
  { start: 30, end: null, title: "open", level: 0, collapsed: true, seconds: null, began: "" },
];

test("folded lines are stepped over, and a line inside is shown once its groups are unfolded", () => {
  const folds = new Folds();
  folds.learn(GROUPS);
  const lines = log(40, { window: 1000, next: (line) => folds.next(line), previous: (line) => folds.previous(line) });
  const shown = () => scroller.visible(lines, { line: 1, offset: 0 });
  assert.deepEqual(shown().slice(8, 12), [9, 10, 21, 22]);
  assert.deepEqual(folds.previous(21), 10);
  folds.toggle(10);
  assert.deepEqual(shown().slice(8, 16), [9, 10, 11, 12, 16, 17, 18, 19]);
  folds.toggle(10);
  folds.open(14);
  assert.deepEqual(shown().length, 40);
  assert.equal(folds.isFolded(30), false, "a group that has not ended is open");
  assert.equal(folds.around(14), 12);
  folds.toggleAll();
  assert.deepEqual(shown().slice(8, 12), [9, 10, 21, 22]);
});

test("the window shows every line once on the way down, folded ones left out", () => {
  const folds = new Folds();
  folds.learn(GROUPS);
  const lines = { ...uneven(40), window: 100, next: (line: number) => folds.next(line), previous: (line: number) => folds.previous(line) };
  const seen = new Set<number>();
  for (let anchor: scroller.Anchor = { line: 1, offset: 0 }, before = null as scroller.Anchor | null; before === null || scroller.compare(anchor, before) > 0; ) {
    scroller.visible(lines, anchor).forEach((line) => seen.add(line));
    [before, anchor] = [anchor, scroller.move(lines, anchor, 30)];
  }
  assert.deepEqual([...seen], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...Array.from({ length: 20 }, (_, at) => 21 + at)]);
});
