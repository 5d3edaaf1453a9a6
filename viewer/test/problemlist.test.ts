/** Problems as the server tells of them: kept in the order of their lines, walked through by level, and their lines found by bytes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Problem, Problems as Answer } from "../src/api.js";
import { inWords, placeOf, ProblemList } from "../src/problemlist.js";

const one = (line: number, level: string, rest: Partial<Problem> = {}) => ({ line, last: line, offset: 10 * (line - 1), level, message: `m${line}`, file: null, row: null, column: null, ...rest }) as Problem;
const answer = (problems: Problem[], rest: Partial<Answer> = {}): Answer => ({ problems, counts: {}, next: null, indexed: 1000, ...rest });
const lines = (list: readonly Problem[]) => list.map(({ line }) => line);

test("what is told again takes the place of what was known from there on", () => {
  const list = new ProblemList();
  list.learn(answer([one(3, "error"), one(8, "warning")], { next: 2 }), 1, true);
  list.learn(answer([one(9, "error")], { counts: { error: 2, warning: 1 } }), 1, false);
  assert.deepEqual(lines(list.all), [3, 8, 9]);
  assert.equal(list.frontier, 9);
  list.learn(answer([one(9, "error", { last: 12 }), one(20, "notice")], { counts: { error: 2, warning: 1, notice: 1 } }), 9, true);
  assert.deepEqual(list.all.map(({ line, last }) => [line, last]), [[3, 3], [8, 8], [9, 12], [20, 20]]);
  assert.equal(list.total, 4);
  assert.equal(inWords(list.counts), "2 errors, 1 warning, 1 notice");
});

test("one goes from problem to problem of the chosen levels, in both directions, and no further", () => {
  const list = new ProblemList();
  list.learn(answer([one(3, "error"), one(8, "warning"), one(8, "error"), one(20, "error")]), 1, true);
  const line = (from: number, down: boolean, ...levels: string[]) => list.near(from, down, levels)?.line;
  assert.deepEqual([line(1, true, "error"), line(3, true, "error"), line(4, true, "error"), line(21, true, "error")], [3, 3, 8, undefined]);
  assert.deepEqual([line(3, false, "error"), line(4, false, "error"), line(99, false, "error"), line(99, false, "warning")], [undefined, 3, 20, 8]);
  assert.deepEqual([line(1, true), line(1, true, "warning", "error"), list.of(["warning"]).length, list.of([]).length], [undefined, 3, 1, 0]);
});

test("a level that is not known is not listed, and what would turn a line around is a blank", () => {
  const list = new ProblemList();
  list.learn(answer([one(1, "fatal"), one(2, "error", { message: "a\u202eb\x1b[31m\nc", file: "x\u2066.c" })]), 1, true);
  assert.deepEqual(list.all.map(({ message, file }) => [message, file]), [["a b [31m c", "x .c"]]);
});

test("places are as long as they are known", () => {
  assert.deepEqual([[null, 1, 2], ["a.c", null, null], ["a.c", 3, null], ["a.c", 3, 5]].map(([file, row, column]) => placeOf({ file, row, column } as Problem)), ["", "a.c", "a.c:3", "a.c:3:5"]);
});

test("between two problems lines are taken to be equally long", () => {
  const list = new ProblemList();
  assert.equal(list.lineOf(500, 1000, 101), 51);
  list.learn(answer([one(11, "error", { offset: 900 })]), 1, true);
  assert.deepEqual([0, 450, 900, 950, 1000].map((offset) => list.lineOf(offset, 1000, 111)), [1, 6, 11, 61, 111]);
  assert.equal(list.lineOf(0, 0, 0), 1);
});

test("ten thousand problems are walked through in a moment", () => {
  const list = new ProblemList();
  list.learn(answer(Array.from({ length: 10_000 }, (_, at) => one(2 * at + 1, at % 2 ? "error" : "warning"))), 1, true);
  let steps = 0;
  for (let found = list.near(1, true, ["error"]); found; found = list.near(found.line + 1, true, ["error"])) steps++;
  assert.equal(steps, 5000);
});
