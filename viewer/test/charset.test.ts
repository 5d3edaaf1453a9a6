/** Encodings: what is declared is what is shown, and in UTF-16 no character is lost where the server ends lines. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Charset } from "../src/charset.js";

const TEXT = ["first line, plain", "ü € „Wörter“ – ×", "", "ĊЊ਀ਅ 上下 \u{1f600}", "\u200a", "last"];

function utf16(text: string, big: boolean): Uint8Array {
  const bytes = new Uint8Array(2 * text.length);
  for (let at = 0; at < text.length; at++) new DataView(bytes.buffer).setUint16(2 * at, text.charCodeAt(at), !big);
  return bytes;
}

for (const [type, bytes, text] of [
  ["text/plain", [0xc3, 0xbc], "ü"], ["text/plain; charset=utf-8", [0xc3, 0xbc], "ü"], ["text/plain; charset=windows-1252", [0x80, 0xfc], "€ü"],
  ["text/plain;charset=\"ISO-8859-1\"", [0xfc], "ü"], ["text/plain; Charset=Latin1", [0xfc], "ü"], ["text/plain; charset=koi8-r", [0xc1], "а"],
  ["text/plain; format=flowed; charset=shift_jis", [0x93, 0xfa, 0x96, 0x7b], "日本"], ["text/plain; charset=nonsense", [0xc3, 0xbc], "ü"],
  ["text/plain; charset=", [0x78], "x"],
] as const) {
  test(`${type} is what it says`, () => assert.equal(new Charset(type).decode(new Uint8Array(bytes)), text));
}

for (const big of [false, true]) {
  for (const mark of ["", "\ufeff"]) {
    test(`all characters of UTF-16 are shown, ${big ? "big" : "little"}-endian ${mark ? "with" : "without"} a mark`, () => {
      const bytes = utf16(mark + TEXT.join("\n"), big);
      const charset = mark ? Charset.ordered("text/plain; charset=utf-16", bytes) : new Charset(`text/plain; charset=utf-16${big ? "be" : "le"}`);
      const shown: string[] = [];
      for (let start = 0; start <= bytes.length; ) {
        const newline = bytes.indexOf(10, start);
        const stop = newline < 0 ? bytes.length : newline;
        shown.push(charset.decode(bytes.subarray(start, stop), start, newline >= 0));
        start = stop + 1;
      }
      // A line also ends beside a character that has the byte in it: which half it is says on which side.
      assert.equal(shown.join(""), TEXT.join(""));
      assert.deepEqual(shown.slice(0, 3), TEXT.slice(0, 3));
      assert.equal(shown.at(-1), "last");
    });
  }
}

test("what is cut at its end has no broken character there", () => {
  const bytes = new TextEncoder().encode("a漢😀é");
  const charset = new Charset();
  assert.deepEqual([1, 2, 3, 4, 5, 7, 8, 9, 10].map((stop) => charset.decode(bytes.subarray(0, stop), 0, false)), ["a", "a", "a", "a漢", "a漢", "a漢", "a漢😀", "a漢😀", "a漢😀é"]);
  assert.equal(charset.decode(bytes.subarray(0, 2)), "a\ufffd", "a line that ends so is broken");
  assert.equal(charset.decode(bytes.subarray(0, 1)), "a", "and the next one is not");
  assert.equal(new Charset("text/plain; charset=utf-16le").decode(utf16("ab", false).subarray(0, 3), 0, false), "a");
});

test("a part of a line begins at a character and in front of a sequence", () => {
  const bytes = new TextEncoder().encode("a漢\x1b[31mb\x1b]8;;http://h\x07c");
  const charset = new Charset();
  assert.deepEqual([0, 1, 2, 3, 4, 5, 7, 9, 10, 15, 23, 24].map((stop) => charset.border(bytes, 0, stop)), [0, 1, 1, 1, 4, 4, 4, 9, 10, 10, 10, 24]);
});

test("sizes are bytes of the log", () => {
  for (const [type, size] of [["", 7], ["charset=latin1", 3], ["charset=utf-16le", 6]] as const) assert.equal(new Charset(`text/plain; ${type}`).size("aü漢".slice(0, 3)) + (type ? 0 : 1), size);
});
