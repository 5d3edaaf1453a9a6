/** The lines in memory: whatever the cuts of what arrives, they are the log's; however long the log, they are few. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PLAIN } from "../src/ansi.js";
import { Charset } from "../src/charset.js";
import { KEPT, type Line, type Piece, Store, textOf as known } from "../src/store.js";
import { random } from "./random.js";

const encoder = new TextEncoder();

const textOf = (line: Line) => known(line, new Charset()).text;

function piece(text: string, changes: Partial<Piece> = {}): Piece {
  const bytes = encoder.encode(text);
  return { first: 1, offset: 0, bytes, size: bytes.length, style: PLAIN, time: null, ...changes };
}

function opened(text = "", changes: Partial<Piece> = {}): Store {
  const store = new Store();
  store.open(piece(text, changes));
  return store;
}

const texts = (store: Store, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => (store.get(from + at) ? textOf(store.get(from + at)!) : null));

test("lines are the same however the bytes are cut", () => {
  const log = "one\n\nthree ü 漢 😀\n\x1b[31mred\nstill red\x1b[0m\r\nplain\nlast without end";
  const bytes = encoder.encode(log);
  const next = random(7);
  for (let round = 0; round < 300; round++) {
    const store = opened(log.slice(0, 0));
    for (let at = 0; at < bytes.length; ) {
      const buffer = bytes.slice(at, at + 1 + next(9));
      store.append(buffer);
      at += buffer.length;
      buffer.fill(0); // it is used again
    }
    assert.deepEqual(texts(store, 1, store.last), log.split("\n"));
    assert.equal(store.size, bytes.length);
    assert.equal(store.get(5)!.style.fg, 1);
    assert.deepEqual(store.get(6)!.style, PLAIN);
  }
});

test("of what comes at once only the last lines are kept, and all are counted", () => {
  const next = random(3);
  const lines = Array.from({ length: 20_000 }, (_, at) => `${next(3) ? "" : `\x1b[3${next(8)}m`}line ${at + 1}${next(9) ? "" : "\x1b[m"}`);
  const bytes = encoder.encode(`${lines.join("\n")}\nunfinished`);
  const slowly = opened();
  for (let at = 0; at < bytes.length; at += 100) slowly.append(bytes.subarray(at, at + 100));
  for (const step of [bytes.length, 65_536, 30_000]) {
    const store = opened("begun ");
    for (let at = 0; at < bytes.length; at += step) store.append(bytes.subarray(at, at + step));
    assert.deepEqual([store.last, store.size], [slowly.last, bytes.length + 6]);
    for (let line = store.last - 250; line <= store.last; line++) {
      assert.equal(textOf(store.get(line)!), textOf(slowly.get(line)!));
      assert.deepEqual(store.get(line)!.style, slowly.get(line)!.style);
      assert.equal(store.get(line)!.at, slowly.get(line)!.at + 6);
    }
    assert.equal(textOf(store.get(1)!), `begun ${lines[0]}`);
    assert.equal(store.get(store.last - 500), undefined);
    store.insert(piece(`${lines.slice(-500, -490).join("\n")}\n`), store.last - 500);
    assert.equal(textOf(store.get(store.last - 491)!), lines.at(-491));
  }
});

test("a last line without its end goes on with what comes", () => {
  const store = opened("one\ntw");
  store.append(encoder.encode("o\nthree"));
  assert.deepEqual(texts(store, 1, store.last), ["one", "two", "three"]);
});

test("offsets of lines are the log's, and a line is found by any of its bytes", () => {
  const store = opened("b\nccc\n", { first: 2, offset: 4, size: 10 });
  store.append(encoder.encode("dd\n"));
  assert.deepEqual([2, 3, 4].map((line) => store.get(line)!.at), [4, 6, 10]);
  assert.deepEqual([4, 5, 6, 9, 10, 12].map((at) => store.lineAt(at)), [2, 2, 3, 3, 4, 4]);
  assert.equal(store.lineAt(3), null);
});

test("what is asked for twice is there once, and what only the stream brings is left to it", () => {
  const store = opened("8\n9\n10", { first: 8, offset: 14, size: 20 });
  store.insert(piece("4\n5\n6\n", { first: 4, offset: 6 }), 4);
  store.insert(piece("5\n6\n7\n8\n9\n10\n11\n", { first: 5, offset: 8 }), 5);
  assert.deepEqual(texts(store, 4, 10), ["4", "5", "6", "7", "8", "9", "10"]);
  assert.equal(store.get(11), undefined);
  store.append(encoder.encode("0\n11\n"));
  assert.deepEqual(texts(store, 10, 11), ["100", "11"]);
});

test("numbers that were made up become real ones, and those before them fit", () => {
  const store = opened("y\nz\n", { first: null, offset: 4, size: 8 });
  assert.equal(store.numbered, false);
  const line = store.lineAt(4)!;
  store.insert(piece("w\nx\n", { first: null }), line - 2);
  assert.equal(store.renumber(line, 3), 3 - line);
  assert.deepEqual([store.numbered, store.last, ...texts(store, 1, 4)], [true, 4, "w", "x", "y", "z"]);
});

test("a log that begins with what was opened has real numbers", () => assert.equal(opened("a\n", { first: null, offset: 0 }).numbered, true));

test("memory stays small while a log of many lines goes by, and the lines that are looked at stay", () => {
  const store = opened("first\n");
  const block = encoder.encode("x".repeat(99) + "\n".repeat(1)).slice();
  for (let line = 2; line <= 60_000; line++) {
    store.append(block);
    if (line % 500 === 0) store.trim([400]);
  }
  store.trim([400]);
  const known = Array.from({ length: 60_000 }, (_, at) => store.get(at + 1)).filter(Boolean).length;
  assert.ok(known <= 13_000, `${known} lines`);
  assert.ok(store.get(400) && store.get(60_000));
});

test("of a giant line the beginning and the end are kept, and its length is right", () => {
  const store = opened("");
  for (let round = 0; round < 500; round++) store.append(encoder.encode("0123456789".repeat(100)));
  const line = store.get(1)!;
  assert.deepEqual([line.length, line.bytes.length, line.end!.length], [500_000, KEPT, 4096]);
  assert.equal(textOf(line).length, KEPT);
});

test("a bar that never ends its line is shown in its last state", () => {
  const store = opened("");
  for (let percent = 0; percent <= 100; percent++) store.append(encoder.encode(`\r${"#".repeat(percent * 5)} ${percent} %`));
  assert.ok(textOf(store.get(1)!).endsWith(" 100 %"));
});

/** Borders of what is kept of a line, and beside them. */
const BORDERS = [0, 1, KEPT - 1, KEPT, KEPT + 1, KEPT + 4095, KEPT + 4096, KEPT + 4097, 3 * KEPT];

test("a line that ends in CR LF is shown, however long it is and however it is cut", () => {
  for (const length of BORDERS) {
    for (const end of ["\r\n", "\r\r\n", "\n"]) {
      const text = "x".repeat(length);
      const bytes = encoder.encode(`a\r\n${text}${end}`);
      const store = opened();
      for (let at = 0; at < bytes.length; ) {
        const step = at < 4 || at > bytes.length - 9 ? 1 : 5000;
        store.append(bytes.subarray(at, at + step));
        at += step;
      }
      const whole = opened(`a\r\n${text}${end}`);
      const asked = opened();
      asked.last = 2;
      asked.insert(piece(`a\r\n${text}${end}`), 1);
      for (const { get } of [store, whole, asked].map((one) => ({ get: (line: number) => one.get(line)! }))) {
        const shown = textOf(get(2)).replace(/\r+$/, "");
        assert.equal(shown, length + end.length - 1 > KEPT + 4096 ? text.slice(0, KEPT) : text, `${length} ${JSON.stringify(end)}`);
      }
    }
  }
});

test("of a long bar the last state is shown with its style, also if it ends in CR LF", () => {
  const states = Array.from({ length: 2000 }, (_, at) => `\r\x1b[3${at % 8}mstep ${at}`).join("");
  for (const end of ["", "\r", "\r\n", "\n", "\r\r\n"]) {
    const { text, style } = known(opened(states + end).get(1)!, new Charset());
    const last = text.replace(/\r+$/, "").split("\r").at(-1);
    assert.equal(last, "\x1b[37mstep 1999");
    assert.notEqual(style.fg, -1);
  }
});
