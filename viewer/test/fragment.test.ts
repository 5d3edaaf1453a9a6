/** Addresses: places that are understood, how they are written, and where the server is behind any prefix. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { read, write } from "../src/fragment.js";

for (const [hash, from, to] of [
  ["#L120", 120, 120], ["#L120-L140", 120, 140], ["#L120-140", 120, 140], ["#L140-L120", 120, 140], ["#x=1&L7", 7, 7], ["#L73000000-L73000004", 73000000, 73000004],
] as const) {
  test(`${hash} means lines ${from} to ${to}`, () => assert.deepEqual(read(hash).lines, { from, to }));
}

for (const hash of ["", "#", "#L", "#L0", "#L-1", "#Lx", "#L1-", "#L1.5", "#l1", "#L1 ", "#L99999999999999999999"]) {
  test(`${JSON.stringify(hash)} means no line`, () => assert.equal(read(hash).lines, null));
}

test("what is written is read again", () => {
  for (const lines of [{ from: 1, to: 1 }, { from: 5, to: 9 }, null]) assert.deepEqual(read(write(lines)).lines, lines);
});

test("a byte and a token are understood", () => {
  assert.deepEqual(read("#B4096"), { lines: null, byte: 4096, token: null });
  assert.deepEqual(read("#token=a%2Db&L3"), { lines: { from: 3, to: 3 }, byte: null, token: "a-b" });
  assert.equal(read("#token=%").token, "%");
});
