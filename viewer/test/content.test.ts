/** What is shown of a line at first and on demand: no more than is good, and what is hidden is counted in the log's bytes. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Charset } from "../src/charset.js";
import { contentOf, SHOWN } from "../src/content.js";
import { PLAIN } from "../src/sgr.js";
import { split } from "../src/store.js";

const UTF8 = new Charset();
const line = (text: string) => split({ bytes: new TextEncoder().encode(text), first: 1, offset: 0, size: 0, style: PLAIN, time: null })[0]!;
const size = (text: string) => new TextEncoder().encode(text).length;

for (const [what, unit] of [["letters", "x"], ["umlauts", "ü"], ["wide characters", "漢"], ["pairs", "😀"], ["colours", "\x1b[32mx\x1b[0m"]] as const) {
  test(`what is hidden of a long line of ${what} is its bytes behind what is shown`, () => {
    for (const count of [10, 4096, 4097, 6000, 20_000]) {
      const { runs, behind } = contentOf(line(unit.repeat(count) + "\r\n"), UTF8);
      const shown = runs.map(({ text }) => text).join("");
      assert.ok(shown.length <= SHOWN);
      assert.ok(behind === 0 || shown.length > SHOWN - 2 || unit.length > 2, "colours are kept in place of letters");
      const units = shown.length / unit.replace(/\x1b\[\d+m/g, "").length;
      // A line's end is hidden with the rest if it is not in memory, and so is a sequence on the border.
      const rest = size(unit) * (count - units);
      assert.ok(Math.abs(behind - rest) <= 6 && (rest > 0 || behind === 0), `${behind} ${rest}`);
    }
  });
}

test("what a bar has written over is not hidden", () => {
  const bar = Array.from({ length: 5000 }, (_, at) => `${at} %`).join("\r");
  assert.deepEqual(contentOf(line(bar + "\r\n"), UTF8).behind, 0);
});

test("an address that is cut is no link", () => {
  const content = contentOf(line(`${"x".repeat(SHOWN - 12)} http://example.org/long\n`), UTF8);
  assert.deepEqual(content.runs.map(({ href }) => href), ["", ""]);
  assert.equal(contentOf(line("see http://example.org/long\n"), UTF8).runs[1]!.href, "http://example.org/long");
});

test("a part of a line says how much is in front of it and behind it", () => {
  const text = "x".repeat(100_000);
  const slice = { start: 50_000, stop: 60_000, text: text.slice(50_000, 60_000), bytes: new Uint8Array(), style: PLAIN };
  const { runs, before, behind } = contentOf(line(text), UTF8, slice);
  assert.deepEqual([runs[0]!.text.length, before, behind], [10_000, 50_000, 40_000]);
});
