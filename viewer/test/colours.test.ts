/** Colours: whatever a log asks for can be read, in both themes, and is the colour it asked for where that can be. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { contrast, ENOUGH, paint, rgb } from "../src/colours.js";
import { DIM, INVERSE } from "../src/sgr.js";

const GROUNDS = { light: [[255, 255, 255], [245, 247, 250], [255, 243, 196]], dark: [[15, 20, 27], [23, 29, 38], [58, 50, 18]] };
const COLOURS = [-1, ...Array(256).keys(), 0x1000000, 0x1808080, 0x1ffffff, 0x1767676, 0x1ff0000, 0x10000ff, 0x1ffff00];
/** One of several, or all, if `THOROUGH` is set. */
const GROUNDS_OF_TEXT = COLOURS.filter((_, place) => "THOROUGH" in process.env || place % 8 === 0);

for (const theme of ["light", "dark"] as const) {
  test(`every text has enough contrast on every ground in the ${theme} theme`, () => {
    for (const fg of COLOURS) {
      for (const bg of GROUNDS_OF_TEXT) {
        for (const flags of [0, INVERSE, DIM, INVERSE | DIM]) {
          const shown = paint({ fg, bg, flags }, theme === "dark");
          for (const page of GROUNDS[theme]) {
            const seen = contrast(shown.fg, shown.bg ?? page);
            assert.ok(seen >= ENOUGH - 0.01, `${fg} on ${bg}, ${flags}: ${seen}`);
          }
        }
      }
    }
  });
}

test("the palette's colours are those of xterm", () => {
  assert.deepEqual([16, 21, 208, 231, 232, 255].map(rgb), [
    [0, 0, 0], [0, 0, 255], [255, 135, 0], [255, 255, 255], [8, 8, 8], [238, 238, 238],
  ]);
  assert.deepEqual(rgb(0x1010aff), [1, 10, 255]);
});

test("colours that can be read are as they are", () => {
  assert.deepEqual(paint({ fg: 208, bg: -1, flags: 0 }, true).fg, [255, 135, 0]);
  assert.deepEqual(paint({ fg: 231, bg: 21, flags: 0 }, false), { fg: [255, 255, 255], bg: [0, 0, 255] });
  assert.deepEqual(paint({ fg: 0x1000000, bg: 0x1ffffff, flags: 0 }, true), { fg: [0, 0, 0], bg: [255, 255, 255] });
});

test("dim text is nearer to its ground", () => {
  const text = (flags: number) => contrast(paint({ fg: -1, bg: -1, flags }, false).fg, [255, 255, 255]);
  assert.ok(text(DIM) < text(0));
});

test("colours differ from each other and from their ground", () => {
  for (const dark of [true, false]) {
    const inks = [1, 2, 3, 4, 5, 6].map((fg) => String(paint({ fg, bg: -1, flags: 0 }, dark).fg));
    assert.equal(new Set(inks).size, 6);
    const grounds = [0, 1, 2, 3, 4, 5, 6, 7].map((bg) => String(paint({ fg: -1, bg, flags: 0 }, dark).bg));
    assert.ok(new Set(grounds).size >= 7);
  }
});
