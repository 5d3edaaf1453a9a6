/** ANSI: what is shown of a line is what a terminal shows; nothing printable is lost; only harmless links are links. */

import assert from "node:assert/strict";
import { test } from "node:test";
import unicode from "@xterm/addon-unicode11";
import xterm from "@xterm/headless";
import { BOLD, DIM, INVERSE, ITALIC, parse, PLAIN, type Run, sgr, STRIKE, type Style, styleAfter, UNDERLINE } from "../src/ansi.js";
import { random } from "./random.js";
import vectors from "./sequences.json" with { type: "json" };

const text = (runs: readonly Run[]) => runs.map((run) => run.text).join("");

interface Vector {
  readonly what: string;
  /** The bytes of a line. */
  readonly log: string;
  /** What a terminal shows, and the page. */
  readonly screen: string;
  /** What is searched in. */
  readonly text: string;
  /** What the client lets a terminal have. */
  readonly terminal: string;
  /** What an SGR sequence would have that makes the style at the end. */
  readonly style?: string;
  /** Why a terminal shows something else. */
  readonly unlike?: string;
}

const screen = new xterm.Terminal({ cols: 400, rows: 2, allowProposedApi: true });
screen.loadAddon(new unicode.Unicode11Addon());
screen.unicode.activeVersion = "11";

/** The first line of a real terminal's screen: each cell as character, colours and attributes. */
async function terminal(line: string): Promise<string[]> {
  await new Promise<void>((done) => screen.write("\x18", done)); // out of what was not whole
  screen.reset();
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
    if (cell.getWidth() > 0) cells.push(describe(cell.getChars() || " ", { fg, bg, flags }));
  }
  return trimmed(cells);
}

/** What the page shows, in cells: blanks in place of tabs. */
function ours(line: string): string[] {
  const cells: string[] = [];
  let column = 0;
  for (const { text, style } of parse(line, PLAIN).runs) {
    for (const { segment: character } of new Intl.Segmenter().segment(text)) {
      const width = character === "\t" ? 8 - (column % 8) : /^[\u2e80-\uffdf\u{1f300}-\u{1faff}]/u.test(character) ? 2 : 1;
      column += width;
      if (character === "\t") for (let at = 0; at < width; at++) cells.push(describe(" ", PLAIN));
      else cells.push(describe(character, style));
    }
  }
  return trimmed(cells);
}

const characters = (cells: readonly string[]) => cells.map((cell) => cell.split(/ -?\d+ -?\d+ \d+$/)[0]).join("").trimEnd();

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

for (const { what, log, screen, terminal: let_through, style, unlike } of vectors as readonly Vector[]) {
  test(`${what}: the page shows what a terminal shows`, async () => {
    const { runs, style: end } = parse(log, PLAIN);
    assert.equal(text(runs).trimEnd(), screen);
    assert.deepEqual(end, sgr(PLAIN, style ?? ""));
    assert.deepEqual(styleAfter(log, PLAIN), end);
    if (unlike) return;
    assert.equal(characters(ours(log)), characters(await terminal(log)));
    assert.equal(characters(await terminal(let_through)), characters(await terminal(log)), "and so does the client");
  });
}

for (const line of CASES) {
  test(`a terminal shows ${JSON.stringify(line)} in the same way`, async () => assert.deepEqual(ours(line), await terminal(line)));
}

test("a terminal shows any mixture of text, colours and overwriting in the same way", async () => {
  const next = random(20);
  const pieces = ["abc", "x", "  ", "\r", "\b", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[0m", "\x1b[31m", "\x1b[1;44m", "\x1b[38;5;200m", "\x1b[7m", "\x1b[27m",
    "\x1b[48;2;9;8;7m", "\x1b]0;t\x07", "\x1b[38:2::1:2:3m", "é", "\x1b[?7h", "漢", "字x", "😀", "\t", "e\u0301", "\x1b[J", "\x1b[1J", "\x1b[2J", "\x1b[3X",
    "\x1b[P", "\x1b[2P", "\x1b[@", "\x1b[3@", "\x1b[2G", "\x1b[9G", "\x1b[C", "\x1b[2D", "\x1b[1;4H", "\x1b[H", "\x1b[2I", "\x1b[Z", "\x1b[2b", "\x1b7", "\x1b8", "\x1bc"];
  for (let round = 0; round < 1000; round++) {
    const line = Array.from({ length: 1 + next(14) }, () => pieces[next(pieces.length)]).join("");
    // Erasing leaves a terminal's cells with the ground of the moment: what we show of them is their being empty.
    // Where a wide character is cut by an insertion, xterm.js keeps a cell of no width.
    if (/[漢字😀]/u.test(line) && /\x1b\[3?@/.test(line)) continue;
    const [shown, wanted] = [ours(line), await terminal(line)];
    if (/\x1b(?:\[[\d;]*[KJXP@]|8)|[漢字😀]/u.test(line) && /m/.test(line)) assert.equal(characters(shown), characters(wanted), JSON.stringify(line));
    else assert.deepEqual(shown, wanted, JSON.stringify(line));
  }
});

test("no printable character is lost, whatever stands between", () => {
  const next = random(21);
  const pieces = ["\x1b", "[", "]", "8;;", "m", "31", ";", "\x07", "P", "text", "K", "ü", "漢", "😀", " ", "\t", "\x1b[1m", "\x1b]", "(", "38;5"];
  for (let round = 0; round < 5000; round++) {
    const line = Array.from({ length: next(12) }, () => pieces[next(pieces.length)]).join("");
    const known = line
      .replace(/\x1b\[[0-?]*[ -/]*[@-~]?|\x1b[\]P][^\x07\x1b]*(\x07|\x1b\\|(?=\x1b))|\x1b[ -/]+[0-~]?|\x1b[0-OQ-WYZ`-~\\]/g, "")
      .replace(/[\x1b\x07]/g, "");
    if (/\x1b(?:[78c]|\[[0-?]*[@C-KPXZ`abdfsu])/.test(line)) continue;
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

test("the cursor moves along the line, and stops at the edge", () => {
  const shown = (line: string) => text(parse(line, PLAIN).runs);
  assert.equal(shown("Starting bus\x1b[1G[ OK ]"), "[ OK ]ng bus");
  assert.equal(shown("ab\x1b[3Ccd\x1b[2D!\x1b[D?"), "ab   ?d");
  assert.equal(shown("a\x1b[999999999Cb").length, 501);
});

test("strings for programs are no text, however they end", () => {
  assert.equal(text(parse("\x1b_bk;t=1729\x07one\x1b_x\x1b\\two\x1bPq\x07", PLAIN).runs), "onetwo");
});

test("a line takes time in proportion to its length, whatever is in it", () => {
  const time = (line: string) => {
    const times = Array.from({ length: 3 }, () => {
      const before = process.cpuUsage(); // of the processor: a busy machine makes nothing longer
      parse(line, PLAIN);
      return process.cpuUsage(before).user / 1000;
    });
    return Math.min(...times);
  };
  const far = "x".repeat(20_000);
  for (const piece of ["\x1b[1K", "\x1b[2Ky", "\x1b[999X", "\x1b[P", "\x1b[99@", "\x1b[500b", "a\x1b[500b", "\x1b7\r\x1b8\x1b[1Ky", "\r", "\r\x1b[99999Cx", "\t\b", "\x1b]x", "\x1b[", "\x1b[1",
    "\x1bP", "漢\b", "e\u0301", "\x1b[2I\x1b[9Z", "\x1b ", "\x1b[31m", "\x1bc"]) {
    for (const end of "THOROUGH" in process.env ? ["", "\r\r"] : [""]) {
      const [one, four] = [20_000, 80_000].map((length) => time(far.repeat(length / 20_000) + piece.repeat(length / piece.length) + end));
      assert.ok(four! <= 12 * one! + 100, `${JSON.stringify(piece)}: ${one} ms, ${four} ms`);
    }
  }
});
