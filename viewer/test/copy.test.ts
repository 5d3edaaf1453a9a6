/** Copied text: the log's, as a terminal shows it, from one place to another. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Charset } from "../src/charset.js";
import { plain } from "../src/copy.js";

const charset = new Charset();
const bytes = (text: string) => ({ bytes: new TextEncoder().encode(text), at: 0, charset });
const place = (column: number, start = 0) => ({ column, start });

test("copied text has no escape sequences, and begins and ends where the selection does", () => {
  const lines = bytes("\x1b[31mone\x1b[0m\n  1 %\r100 %\nthree\n");
  assert.equal(plain(lines), "one\n100 %\nthree\n");
  assert.equal(plain(lines, place(1), place(2)), "ne\n100 %\nth");
  assert.equal(plain(lines, place(1)), "ne\n100 %\nthree\n");
  assert.equal(plain(lines, place(0), place(Number.MAX_SAFE_INTEGER)), "one\n100 %\nthree");
});

test("lines that are empty, or do not end, are copied as they are", () => {
  for (const text of ["", "\n", "\n\n", "a", "a\n", "a\n\nb"]) assert.equal(plain(bytes(text)), text);
  assert.equal(plain(bytes("a\n\nb"), place(1), place(0)), "\n\n");
});

test("one line is cut at both ends, in this order", () => {
  assert.equal(plain(bytes("abcdef\n"), place(2), place(4)), "cd");
});

test("a place may be counted from a byte in the line", () => {
  const line = bytes("äbcdef\n");
  assert.equal(plain(line, place(1, 3), place(3, 3)), "de");
  assert.equal(plain(line, place(1), place(1, 3)), "bc");
  assert.equal(plain(line, place(1, 3), place(Infinity)), "def\n");
});

test("bytes are text as the log declares them", () => {
  const latin = new Charset("text/plain; charset=latin1");
  assert.equal(plain({ bytes: new Uint8Array([0xe4, 10, 0xfc, 10]), at: 5, charset: latin }), "ä\nü\n");
  const wide = new Charset("text/plain; charset=utf-16le");
  assert.equal(plain({ bytes: new Uint8Array([0x61, 0, 10, 0, 0x62, 0, 10, 0]), at: 2, charset: wide }), "a\nb\n");
});
