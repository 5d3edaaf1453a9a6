/** Lines of structured logs: what is recognised, what of it is shown, and that nothing in them does harm. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { piecesOf, structured } from "../src/structured.js";

const NONE = new Set<string>();
const shown = (text: string, isOpen = false, hidden: ReadonlySet<string> = NONE) => {
  const found = structured(text);
  return found && piecesOf(found, isOpen, hidden).map((piece) => piece.text).join("");
};

test("level, time and message come first, then the fields", () => {
  const found: [string, string, string][] = [
    ['{"level":"info","ts":"2026-11-28T02:03:04.123Z","msg":"up","port":80,"ok":true,"none":null}', "info", "INFO  02:03:04.123 up  port=80  ok=true  none=null"],
    ['{"severity":"ERROR","message":"it broke","err":{"code":7,"at":[1,2]}}', "error", "ERROR it broke  err.code=7  err.at=[1,2]"],
    ['{"level":30,"time":1764295384123,"pid":7,"hostname":"h","msg":"listening"}', "info", "INFO  02:03:04.123 listening  pid=7  hostname=h"],
    ['{"@timestamp":"2026-11-28T02:03:04Z","log.level":"warn","message":"a\\nb"}', "warning", "WARN  02:03:04 a ⏎ b"],
    ['level=warn ts=2026-11-28T02:03:04Z msg="two words" user=7 q="a=\\"b\\""', "warning", 'WARN  02:03:04 two words  user=7  q=a="b"'],
    ['time="2026-11-28T02:03:04+01:00" level=debug msg=x', "debug", "DEBUG 02:03:04 x"],
    ['web-1  | {"level":"error","msg":"x"}', "error", "web-1  | ERROR x"],
    ['2026-11-28T02:03:04Z level=fatal msg=x', "error", "2026-11-28T02:03:04Z FATAL x"],
  ];
  for (const [text, level, expected] of found) assert.deepEqual([structured(text)?.level, shown(text)], [level, expected], text);
});

test("what has no level and no message is no record", () => {
  for (const text of ["", "{}", "[]", '{"a":1}', '["level"]', "null", "{not json", '{"level":"info"', "A=1 B=2", "make CC=gcc level", "if (level=1) {", 'msg="open', "level=info", "x level=info msg=y", '{"level":"info"} {"level":"info"}'])
    assert.equal(structured(text), null, text);
});

test("open lines have a row for each field, and folded ones pass over those that are hidden, and say so", () => {
  const text = `{"level":"info","msg":"m","a":"${"x".repeat(300)}","b":"y z"}`;
  assert.equal(shown(text, true), `INFO  m\n    a: ${"x".repeat(300)}\n    b: y z`);
  assert.equal(shown(text), `INFO  m  a=${"x".repeat(100)}…  b="y z"`);
  assert.equal(shown(text, false, new Set(["a"])), 'INFO  m  b="y z" … 1 more');
  assert.equal(shown(text, true, new Set(["a"]))!.split("\n").length, 3);
});

test("a hostile record is bounded, and read in a moment", () => {
  const many = `{"msg":"m",${Array.from({ length: 400 }, (_, at) => `"k${at}":1`).join()}}`;
  const [folded, open] = [shown(many)!, shown(many, true)!];
  assert.ok(folded.length < 300 && open.split("\n").length <= 201, `${folded.length}`);
  assert.equal(structured(`{"msg":"${"x".repeat(20_000)}"}`), null);
  for (const text of [`{"msg":1,"a":${"[".repeat(8000)}${"]".repeat(8000)}}`, `{"msg":1,"a":${'{"b":'.repeat(2000)}1${"}".repeat(2000)}}`, "a=".repeat(8000), 'level="'.repeat(2000), `level=x msg="${"\\".repeat(16_000)}`, " ".repeat(16_000), "{".repeat(16_000), "a b".repeat(5000)]) {
    const pieces = shown(text);
    assert.ok(pieces === null || pieces.length < 5000, text.slice(0, 20));
  }
  assert.equal(shown('{"msg":"a\\u202eb\\u0007","__proto__":{"x":1},"constructor":"c","toString":1}'), "a b   __proto__.x=1  constructor=c  toString=1");
});
