/** Lines that a filter lets through: which are shown, of which it is not known, and which are forgotten. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Filtered, type Passed } from "../src/filtered.js";
import { PLAIN } from "../src/sgr.js";

const passed = (number: number, isContext = false, length = 0): Passed => ({
  number, at: 10 * number, time: 0, isContext,
  line: { at: 10 * number, length, bytes: new Uint8Array(length), end: null, finished: true, style: PLAIN },
});

function known(low: number, high: number, ...numbers: number[]): Filtered {
  const list = new Filtered(low);
  list.high = high;
  for (const number of numbers) list.add(passed(number));
  return list;
}

const walk = (list: Filtered, from: number, to: number): number[] => {
  const lines: number[] = [];
  for (let line = list.next(from - 1); line <= to; line = list.next(line)) lines.push(line);
  return lines;
};

test("Lines are shown that are let through, and those of which it is not known", () => {
  const list = known(10, 20, 15, 12, 18);
  assert.deepEqual(walk(list, 8, 23), [8, 9, 12, 15, 18, 21, 22, 23]);
  const back: number[] = [];
  for (let line = list.previous(24); line >= 8; line = list.previous(line)) back.push(line);
  assert.deepEqual(back, [23, 22, 21, 18, 15, 12, 9, 8]);
  assert.deepEqual([list.get(15)?.at, list.get(16), list.size, list.place(15)], [150, undefined, 3, 1]);
});

test("Of a stretch without a line only its surroundings are shown", () => {
  assert.deepEqual(walk(known(5, 8), 3, 10), [3, 4, 9, 10]);
  assert.deepEqual(walk(known(1, Infinity), 1, 100), []);
  assert.deepEqual(walk(new Filtered(7), 5, 9), [5, 6, 7, 8, 9]);
});

test("A line is known once, and one that matches is no context", () => {
  const list = known(1, Infinity);
  list.add(passed(3, true));
  list.add(passed(3));
  list.add(passed(3, true));
  assert.deepEqual([list.size, list.get(3)?.isContext], [1, false]);
});

for (const [name, at] of [["above", 30_000], ["below", 1], ["on both sides", 15_000]] as const) {
  test(`Lines far from the window are forgotten ${name}`, () => {
    const list = known(1, Infinity);
    for (let number = 1; number <= 30_000; number++) list.add(passed(number));
    list.trim([at]);
    assert.ok(list.size <= 20_000 && list.size >= 600 && list.get(at));
    assert.ok(list.low >= 1 && list.high <= Infinity && list.knows(at));
    assert.deepEqual(walk(list, Math.max(1, at - 2), at), [at - 2, at - 1, at].filter((line) => line > 0));
    assert.equal(list.get(list.low)?.number, list.low);
    assert.equal(list.high === Infinity || list.high === list.at(-1)!.number, true);
  });
}

test("Long lines count by their bytes", () => {
  const list = known(1, Infinity);
  for (let number = 1; number <= 2000; number++) list.add(passed(number, false, 10_000));
  list.trim([2000]);
  assert.ok(list.size <= 700 && list.get(2000) && list.get(1400));
  const one = list.at(0)!;
  list.learn(one, { ...one.line!, length: 1, bytes: new Uint8Array(1) });
  assert.equal(list.at(0)!.line!.length, 1);
});
