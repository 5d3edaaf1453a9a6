/** ANSI: what is shown of a line is what a terminal shows; nothing printable is lost; only harmless links are links. */

import assert from "node:assert/strict";
import { test } from "node:test";
import xterm from "@xterm/headless";
import { BOLD, DIM, INVERSE, ITALIC, parse, PLAIN, rgb, type Run, sgr, STRIKE, type Style, styleAfter, UNDERLINE } from "../src/ansi.js";
import { random } from "./random.js";

const text = (runs: readonly Run[]) => runs.map((run) => run.text).join("");

/** The first line of a real terminal's screen: each cell as character, colours and attributes. */
async function terminal(line: string): Promise<string[]> {
  const screen = new xterm.Terminal({ cols: 400, rows: 2, allowProposedApi: true });
  await new Promise<void>((done) => screen.write(line, done));
  const row = screen.buffer.active.getLine(0)!;
  const cells: string[] = [];
  for (let at = 0; at < 400; at++) {
    const cell = row.getCell(at)!;
    const colour = (standard: boolean, rgb: boolean, value: number) => (standard ? -1 : rgb ? 0x1000000 + value : value);
    const flags =
      (cell.isBold() ? BOLD : 0) | (cell.isDim() ? DIM : 0) | (cell.isItalic() ? ITALIC : 0) | (cell.isUnderline() ? UNDERLINE : 0) |
      (cell.isInverse() ? INVERSE : 0) | (cell.isStrikethrough() ? STRIKE : 0);
    const fg = colour(cell.isFgDefault(), cell.isFgRGB(), cell.getFgColor());
    const bg = colour(cell.isBgDefault(), cell.isBgRGB(), cell.getBgColor());
    cells.push(describe(cell.getChars() || " ", { fg, bg, flags }));
  }
  screen.dispose();
  return trimmed(cells);
}

function ours(line: string): string[] {
  return trimmed(parse(line, PLAIN).runs.flatMap((run) => [...run.text].map((character) => describe(character, run.style))));
}

function describe(character: string, { fg, bg, flags }: Style): string {
  return `${character} ${fg} ${bg} ${flags}`;
}

/** Without blanks at the end, which nobody sees. */
function trimmed(cells: string[]): string[] {
  const last = cells.findLastIndex((cell) => !/^ {2}-1 -1 0$/.test(cell));
  return cells.slice(0, last + 1);
}

const CASES = [
  "plain", "\x1b[31mred\x1b[0m plain", "\x1b[1;4;32mbold\x1b[22m\x1b[24m not", "\x1b[38;5;208morange\x1b[48;5;17mon blue",
  "\x1b[38;2;1;2;3mrgb\x1b[39m", "\x1b[38:2::10:20:30mcolons\x1b[0m", "\x1b[38:5:99mindexed", "\x1b[7minverse\x1b[27m", "\x1b[91;102mbright",
  "\x1b[38;5;1;1mred and bold", "  0 %\r 50 %\r100 %", "long text\rshort", "abc\b\bX", "abc\r\x1b[Kd", "abcdef\b\b\x1b[K", "abc\x1b[2Kd", "abcdef\b\b\x1b[1K",
  "\x1b]0;title\x07after", "\x1bPdcs\x1b\\after", "\x1b(Bcharset", "\x1b[?25lcursor\x1b[?25h",
  "\x1b[>4;1mno style", "\x1b[mreset", "\x1b[;31mred", "\x1b[31;mplain", "\x1b[9mstrike\x1b[29m", "tail\r", "\x1b[38;2;300;0;0mx".slice(0, 4) + "y",
];

for (const line of CASES) {
  test(`a terminal shows ${JSON.stringify(line)} in the same way`, async () => assert.deepEqual(ours(line), await terminal(line)));
}

test("a terminal shows any mixture of text, colours and overwriting in the same way", async () => {
  const next = random(20);
  const pieces = ["abc", "x", "  ", "\r", "\b", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[0m", "\x1b[31m", "\x1b[1;44m", "\x1b[38;5;200m", "\x1b[7m", "\x1b[27m",
    "\x1b[48;2;9;8;7m", "\x1b]0;t\x07", "\x1b[38:2::1:2:3m", "é", "\x1b[?7h"];
  for (let round = 0; round < 400; round++) {
    const line = Array.from({ length: 1 + next(14) }, () => pieces[next(pieces.length)]).join("");
    // Erasing leaves a terminal's cells with the ground of the moment: what we show of them is their being empty.
    if (/\x1b\[[12]?K/.test(line) && /44m|48;|\x1b\[7m/.test(line)) continue;
    assert.deepEqual(ours(line), await terminal(line), JSON.stringify(line));
  }
});

test("no printable character is lost, whatever stands between", () => {
  const next = random(21);
  const pieces = ["\x1b", "[", "]", "8;;", "m", "31", ";", "\x07", "P", "text", "K", "ü", "漢", "😀", " ", "\t", "\x1b[1m", "\x1b]", "(", "38;5"];
  for (let round = 0; round < 5000; round++) {
    const line = Array.from({ length: next(12) }, () => pieces[next(pieces.length)]).join("");
    const known = line
      .replace(/\x1b\[[0-?]*[ -/]*([@-~]|$)|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b[PX^_][^\x07\x1b]*(\x07|\x1b\\)|\x1b[ -/]*([0-OQ-WYZ`-~\\]|$)/g, "")
      .replace(/[\x1b\x07]/g, "");
    if (/\x1b\[[0-?]*[CDGK]/.test(line)) continue;
    assert.equal(text(parse(line, PLAIN).runs), known, JSON.stringify(line));
  }
});

test("a style lasts from line to line", () => {
  const first = parse("\x1b[1;35mone", PLAIN);
  assert.deepEqual(first.style, { fg: 5, bg: -1, flags: BOLD });
  assert.equal(parse("two", first.style).runs[0]!.style, first.style);
  assert.deepEqual(styleAfter("a\x1b[3mb\x1b[23m\x1b[38;5;9mc", PLAIN), { fg: 9, bg: -1, flags: 0 });
});

for (const [target, href] of [
  ["https://example.com/a?b#c", "https://example.com/a?b#c"], ["http://h", "http://h"], ["mailto:a@b", "mailto:a@b"],
  ["javascript:alert(1)", ""], ["JaVaScRiPt:alert(1)", ""], ["data:text/html,x", ""], ["file:///etc/passwd", ""], ["//host/x", ""], [" https://x", ""],
] as const) {
  test(`a link to ${target} is ${href ? "a link" : "text"}`, () => {
    const { runs } = parse(`\x1b]8;;${target}\x1b\\here\x1b]8;;\x07 there`, PLAIN);
    assert.deepEqual(runs.map((run) => [run.text, run.href]), href ? [["here", href], [" there", ""]] : [["here there", ""]]);
  });
}

test("control characters are shown as pictures, and those that turn text around as their names", () => {
  assert.equal(text(parse("a\0b\x7fc\u202ed\u2066e\tf", PLAIN).runs), "a\u2400b\u2421c<U+202E>d<U+2066>e\tf");
});

test("parameters that mean nothing change nothing", () => {
  for (const parameters of ["38", "38;5", "38;5;256", "38;2;1;2", "38;2;1;2;999", "48;9", "58;5;1", "58;2;1;2;3", "77", "38:9:1"]) {
    assert.deepEqual(sgr(PLAIN, parameters), PLAIN, parameters);
  }
});

test("the palette's colours are those of xterm", () => {
  assert.deepEqual([16, 21, 208, 231, 232, 255].map(rgb), [
    [0, 0, 0], [0, 0, 255], [255, 135, 0], [255, 255, 255], [8, 8, 8], [238, 238, 238],
  ]);
  assert.deepEqual(rgb(0x1010aff), [1, 10, 255]);
});

test("the cursor moves along the line, and stops at the edge", () => {
  const shown = (line: string) => text(parse(line, PLAIN).runs);
  assert.equal(shown("Starting bus\x1b[1G[ OK ]"), "[ OK ]ng bus");
  assert.equal(shown("ab\x1b[3Ccd\x1b[2D!\x1b[D?"), "ab   ?d");
  assert.equal(shown("a\x1b[999999999Cb").length, 501);
});

test("strings for programs are no text, however they end", () => {
  assert.equal(text(parse("\x1b_bk;t=1729\x07one\x1b_x\x1b\\two\x1bPq\x07", PLAIN).runs), "onetwo");
});
