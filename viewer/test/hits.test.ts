/** Hits: what the server finds is what is marked, whatever letters stand around it and whatever of a line is shown. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Charset } from "../src/charset.js";
import { contentOf } from "../src/content.js";
import { pattern } from "../src/hits.js";
import { locate } from "../src/locate.js";
import { PLAIN } from "../src/sgr.js";
import { split } from "../src/store.js";

const encoder = new TextEncoder();

for (const [text, matchCase, line, found] of [
  ["needle", false, "İ Needle NEEDLE", ["Needle", "NEEDLE"]], ["needle", true, "Needle needle", ["needle"]], ["ß", false, "ẞ ß SS", ["ẞ", "ß"]],
  ["K", false, "K k \u212a", ["K", "k"]], ["ä", false, "Ä ä a", ["Ä", "ä"]], ["a.b", false, "a.b axb", ["a.b"]], ["(*", false, "x(*)", ["(*"]],
  ["[a-z]{2}|", false, "[a-z]{2}|", ["[a-z]{2}|"]], ["😀", false, "x😀", ["😀"]], ["-/\\d", false, "-/\\d 5", ["-/\\d"]],
] as const) {
  test(`${text} is found in ${line}`, () => assert.deepEqual([...line.matchAll(pattern({ text, matchCase }))].map(([whole]) => whole), found));
}

for (const [log, hit, place] of [
  ["one two three", "two", [4, 7]], ["\x1b[31mone\x1b[0m two", "two", [4, 7]], ["ü漢 two two", " two", [2, 6]], ["a\rtwo", "two", [0, 3]], ["İİ x", "x", [3, 4]],
  ["2026-11-28T02:03:04.1234567Z one two one", "one", [0, 3]], ["2026-11-28T02:03:04.1234567Z one two", "2026", null],
  ["\0\u202e x", "x", [10, 11]], ["::group::title", "title", [0, 5]], ["gone\rhere", "gone", null],
] as const) {
  test(`${JSON.stringify(hit)} is marked where it is shown of ${JSON.stringify(log)}`, () => {
    const line = split({ bytes: encoder.encode(log), first: 1, offset: 0, size: 0, style: PLAIN, time: null })[0]!;
    const shown = contentOf(line, new Charset()).runs.map(({ text }) => text).join("").replace(/::group::|^2026-11-28\S+ /, "");
    const offset = encoder.encode(log.slice(0, log.indexOf(hit))).length;
    assert.deepEqual(locate(shown, line, new Charset(), undefined, offset, encoder.encode(hit).length), place);
  });
}
