/** Commands to CI services: what is shown of them, and what is not, whatever stands in them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parse, PLAIN } from "../src/ansi.js";
import { Charset } from "../src/charset.js";
import { plain } from "../src/copy.js";
import { MASK } from "../src/mask.js";
import { isHidden, meaningOf } from "../src/meaning.js";

const runs = (text: string) => parse(text, PLAIN).runs;
const shown = (text: string) => {
  const meaning = meaningOf(runs(text));
  return meaning && [meaning.level, meaning.pieces.map((piece) => piece.text).join("")];
};

test("a command is shown as its level, its message and its place", () => {
  const found: [string, string, string][] = [
    ["::error file=src/app.js,line=10,col=15,title=Lint::Unexpected token%0Ain a string", "error", "Error: Lint: Unexpected token ⏎ in a string (src/app.js:10:15)"],
    ["::warning file=app.py,line=3::unused", "warning", "Warning: unused (app.py:3)"],
    ["::notice title=A%3A%2C%25::81 %25", "notice", "Notice: A:,%: 81 %"],
    ["::error::", "error", "Error: "],
    ["::error file=a::b,line=2::c", "error", "Error: b,line=2::c (a)"],
    ["  ::debug::x", "debug", "  Debug: x"],
    ["2026-11-28T02:03:04.1234567Z ##[error]Process completed with exit code 1.", "error", "Error: Process completed with exit code 1."],
    ["##[warning]old", "warning", "Warning: old"],
    ["##[command]/usr/bin/git log", "command", "/usr/bin/git log"],
    ["2026-11-28T02:03:04.1234567Z [command]/usr/bin/git log", "command", "/usr/bin/git log"],
    ["build\tRun make\t\ufeff2026-11-28T02:03:04.1234567Z ##[warning]old", "warning", "Warning: old"],
    ["2026-11-28T02:03:04.1234567Z ##[group]Run make", "", "Run make"],
    ["::group::Build", "", "Build"],
    ["2026-11-28T02:03:04.1234567Z   cc a.c", "", "  cc a.c"],
    ["2026-11-28T02:03:04.1234567Z", "", ""],
    ["2026-11-28T02:03:04.123456Z 00O make", "", "make"],
    ["##vso[task.logissue type=error;sourcepath=src/main.cs;linenumber=12;columnnumber=4;code=100]it broke", "error", "Error: 100: it broke (src/main.cs:12:4)"],
    ["##vso[task.complete result=Failed;]tests failed", "error", "Error: tests failed"],
    ["[taskcluster:error] Task timeout", "error", "Error: Task timeout"],
    ["[taskcluster:warn] slow", "warning", "Warning: slow"],
    ["[taskcluster:error 2026-11-28T02:03:04.123Z] no such process", "error", "Error: no such process"],
  ];
  for (const [text, ...expected] of found) assert.deepEqual(shown(text), expected, text);
});

test("what only looks like a command is as it is", () => {
  for (const text of ["", "error", "std::error::Error", "echo '::error::x'", "::errors::x", "2026-11-28T02:03:04.123456Z  INFO x", "2026-11-28T02:03:04.123456789Z x", "2026-99-28T02:03:04.1234567Z x", "[command] x", "##vso[task.complete result=Succeeded;]", "a ##[error]"]) assert.equal(shown(text), null, text);
});

test("the styles of a message stay, and its links", () => {
  const pieces = meaningOf(parse("\x1b[31m::error file=a.c::red\x1b[0m plain", PLAIN).runs)!.pieces;
  assert.deepEqual(pieces.map(({ kind, text, style }) => [kind, text, style.fg]), [["level", "Error: ", -1], ["", "red", 1], ["", " plain", -1], ["where", " (a.c)", -1]]);
});

test("secrets are not shown, and the ends of groups are no lines", () => {
  for (const text of ["::add-mask::hunter2", "2026-11-28T02:03:04Z ::add-mask::hunter2", "##[add-mask]hunter2", "##vso[task.setvariable variable=PW;isSecret=true]hunter2", "##vso[task.setsecret]hunter2"]) {
    assert.ok(MASK.test(text), text);
    assert.ok(!shown(text)![1]!.includes("hunter2") && shown(text)![1]!.endsWith("***"), text);
  }
  for (const text of ["::endgroup::", "##[endgroup]", "2026-11-28T02:03:04.1234567Z ##[endgroup]", "  ::endgroup::"]) assert.ok(isHidden(text), text);
  for (const text of ["::group::", "echo ::endgroup::", "", "endgroup"]) assert.ok(!isHidden(text), text);
});

test("what is copied is what is shown", () => {
  const bytes = new TextEncoder().encode("::group::abc\n::add-mask::s3cret\n::error file=a.c,line=2::broke\n::endgroup::\nrest\n");
  const read = (parts: Parameters<typeof meaningOf>[0]) => {
    const text = parts.map((part) => part.text).join("");
    return isHidden(text) ? null : (meaningOf(parts)?.pieces.map((piece) => piece.text).join("") ?? text);
  };
  const part = { bytes, at: 0, charset: new Charset() };
  assert.equal(plain(part, undefined, undefined, read), "abc\n::add-mask::***\nError: broke (a.c:2)\nrest\n");
  assert.equal(plain(part, { column: 2, start: 0 }, { column: 3, start: 0 }, read), "c\n::add-mask::***\nError: broke (a.c:2)\nres");
  assert.equal(plain(part), new TextDecoder().decode(bytes));
});

test("a hostile line is read in a moment", () => {
  const texts = [`::error ${"a=".repeat(100_000)}`, "::error ".repeat(50_000), `##vso[task.setvariable ${"issecret=tru".repeat(50_000)}`, " ".repeat(400_000), `##vso[task.logissue ${";".repeat(1000)}]`, "2026-11-28T".repeat(50_000), "a\t".repeat(200_000), `\x1b_bk;t=1\x07`.repeat(50_000)];
  for (const text of texts) {
    MASK.test(text);
    isHidden(text);
    meaningOf(runs(text));
  }
});
