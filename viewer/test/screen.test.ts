/** Rows that lines write on over each other: as a terminal has them, wherever one begins to read. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import unicode from "@xterm/addon-unicode11";
import xterm from "@xterm/headless";
import { parse, PLAIN, type Style, styleAfter } from "../src/ansi.js";
import { drawn, REACH, Screen } from "../src/screen.js";
import { random } from "./random.js";

const RECORDINGS = new URL("../../test/recordings/", import.meta.url);

/** What a terminal has on its screen and above it. `scrolled`: it has been used before, and the cursor is in its last row. */
async function terminal(log: string, scrolled: boolean): Promise<string[]> {
  const rows = scrolled ? REACH : 1000;
  const screen = new xterm.Terminal({ cols: 200, rows, scrollback: 100_000, convertEol: true, allowProposedApi: true });
  screen.loadAddon(new unicode.Unicode11Addon());
  screen.unicode.activeVersion = "11";
  const above = scrolled ? rows - 1 : 0;
  await new Promise<void>((done) => screen.write("\n".repeat(above) + log, done));
  const { active } = screen.buffer;
  const cursor = active.baseY + active.cursorY;
  const texts: string[] = [];
  for (let at = above; at < active.length; at++) texts.push(active.getLine(at)!.translateToString(true).trimEnd());
  while (texts.length > Math.max(0, cursor - above + 1) && texts.at(-1) === "") texts.pop();
  screen.dispose();
  return texts;
}

const split = (log: string) => log.split("\n").slice(0, log.endsWith("\n") ? -1 : undefined);

/** Lines on a screen, from one on: `first` is counted from 1. */
function screen(lines: readonly string[], first = 1, to = lines.length): Screen {
  const made = new Screen(first, first === 1);
  let style: Style = PLAIN;
  for (const [at, line] of lines.slice(0, to).entries()) {
    if (at + 1 >= first) made.feed(line, style);
    style = styleAfter(line, style);
  }
  return made;
}

/** The shown rows by their lines. */
function shown(made: Screen, lines: readonly string[]): Map<number, string> {
  return new Map(made.shown().lines.map((line) => {
    const row = made.rowOf(line)!;
    const text = drawn(row) ?? row.own?.text ?? lines[line - 1]!;
    return [line, parse(text, PLAIN).runs.map((run) => run.text).join("").replaceAll("\t", "        ").trimEnd()];
  }));
}

const texts = (made: Screen, lines: readonly string[]) => [...shown(made, lines).values()];

for (const name of readdirSync(RECORDINGS).filter((name) => name.endsWith(".log"))) {
  const log = readFileSync(new URL(name, RECORDINGS), "utf8");
  const lines = split(log);

  test(`${name}: its rows are those of a terminal`, async () => {
    const wanted = await terminal(log, false);
    if (log.endsWith("\n") && wanted.at(-1) === "") wanted.pop(); // the row in which nothing has begun
    assert.deepEqual(texts(screen(lines), lines), wanted);
  });

  test(`${name}: while it is written, its rows are those of a terminal, in the order of the log`, async () => {
    for (let part = 1; part <= 12; part++) {
      const some = lines.slice(0, Math.ceil((part * lines.length) / 12));
      const made = screen(some);
      assert.deepEqual(texts(made, some), await terminal(some.join("\n"), false), `${some.length} lines`);
      const shown = made.shown().lines;
      assert.ok(shown.every((line, at) => line <= some.length && line > (shown[at - 1] ?? 0)));
    }
  });
}

/** A log of random pieces. What is below the lowest row is another thing in a terminal that has not been used: nothing goes there. */
function mixture(next: (below: number) => number, pieces: readonly string[], count: number): string[] {
  return Array.from({ length: count }, () => Array.from({ length: next(7) }, () => pieces[next(pieces.length)]).join(""));
}

const PIECES = ["abc", "x", "long text", "  ", "\r", "\b", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[31m", "\x1b[0m", "漢", "e\u0301", "\x1b[A", "\x1b[2A", "\x1b[3A", "\x1b[F", "\x1b[2F",
  "\x1b[J", "\x1b[0J", "\x1b[3G", "\x1b[2C", "\x1b[D", "\x1b[9X", "\x1b[P", "\x1b]0;t\x07", "\x1b[?25l"];
/** What is above, as far as the mixtures go up. */
const ABOVE = Array.from({ length: 100 }, (_, at) => `above ${at}`);
const DOWN = ["\x1bM", "\x1b[B", "\x1b[2B", "\x1b[E"];
const SAVE = ["\x1b7", "\x1b8", "\x1b[s", "\x1b[u"];

/** Rows of a terminal that do not end in blanks: of these, a log has none that nobody can see. */
const trimmed = (texts: readonly string[]) => texts.slice(0, texts.findLastIndex((text) => text !== "") + 1);

for (const [what, scrolled, pieces] of [["that was used before", true, [...PIECES, ...DOWN]], ["that is new", false, [...PIECES, ...SAVE]]] as const) {
  test(`a terminal ${what} has the rows of any mixture`, async () => {
    const next = random(scrolled ? 40 : 41);
    for (let round = 0; round < ("THOROUGH" in process.env ? 500 : 60); round++) {
      const lines = [...(scrolled ? ABOVE : ["\x1b7"]), ...mixture(next, pieces, 1 + next(30))];
      if (/漢/.test(lines.join("")) && /\x1b\[P/.test(lines.join(""))) continue; // xterm.js cuts wide characters in its own way
      const made = screen(lines);
      assert.deepEqual(trimmed(texts(made, lines)), trimmed(await terminal(lines.join("\n"), scrolled)), JSON.stringify(lines));
    }
  });
}

test("colours and links are those that were written, on whichever row", () => {
  const lines = ["one", "two", "\x1b[2A\x1b[1;38;5;200mpink\x1b[0m and \x1b[48;2;1;2;3mdark\x1b[m", "\x1b]8;;https://example.org/\x07link\x1b]8;;\x07"];
  const made = screen(lines);
  const runs = made.shown().lines.map((line) => parse(drawn(made.rowOf(line)!)!, PLAIN).runs.map(({ text, style, href }) => [text, style.fg, style.bg, style.flags, href]));
  assert.deepEqual(runs, [[["pink", 200, -1, 1, ""], [" and ", -1, -1, 0, ""], ["dark", -1, 0x1010203, 0, ""]], [["link", -1, -1, 0, "https://example.org/"]]]);
});

test("a row is in the place of the line that wrote it last, and what was written over is in none", () => {
  const lines = ["log", "bar 1", "bar 2", "\x1b[2A\x1b[2Kbar 1: 50%", "\x1b[2Kbar 2: 50%", "\x1b[2A\x1b[2K100%", "\x1b[2K100%", "done"];
  const made = screen(lines);
  assert.deepEqual([...shown(made, lines)], [[1, "log"], [6, "100%"], [7, "100%"], [8, "done"]]);
  assert.equal(made.rowOf(4), undefined);
  assert.equal(made.rowOf(1)!.own?.text, "log", "nobody has drawn it");
});

test("rows keep their order: one above an older one is in the place of a line in front of it", () => {
  const lines = ["outer", "inner", "\x1b[2Aouter 1\n".trim(), "\x1b[Aouter 2", "\x1b[Aouter 3"];
  assert.deepEqual([...shown(screen(lines), lines)].map(([line]) => line), [1, 2]);
});

test("wherever one begins to read, the last frame is the same", () => {
  for (const [name, from] of [["docker-build.log", 40], ["rich-live.log", 12], ["rich-progress.log", 20]] as const) {
    const lines = split(readFileSync(new URL(name, RECORDINGS), "utf8"));
    const whole = [...shown(screen(lines), lines)].slice(-5);
    for (let first = 2; first < from; first++) assert.deepEqual([...shown(screen(lines, first), lines)].slice(-5), whole, `${name} from ${first}`);
  }
});

test("what was read from two places on is what was read at once, as far as what is written over is erased", () => {
  const next = random(42);
  const frames = (count: number) => Array.from({ length: count }, () => {
    const rows = 1 + next(6);
    return [...Array.from({ length: rows }, (_, at) => `\r\x1b[2Krow ${at} ${next(1000)}`), `\x1b[${1 + next(rows)}A\r\x1b[2Kx${next(100)}`];
  }).flat();
  for (let round = 0; round < 300; round++) {
    const lines = ["first", ...frames(2 + next(8)), "\x1b[J", "last"];
    const [one, other] = [2 + next(lines.length - 1), 2 + next(lines.length - 1)].sort((one, other) => one - other) as [number, number];
    const whole = screen(lines);
    for (const order of [[0, 1], [1, 0]]) {
      const all = [screen(lines, 1, one - 1), screen(lines, one, other - 1), screen(lines, other)].filter((part) => part.next > part.first);
      for (const at of order) if (all.length > at + 1) all[at]!.absorb(all.splice(at + 1, 1)[0]!);
      while (all.length > 1) all[0]!.absorb(all.splice(1, 1)[0]!);
      assert.deepEqual([...shown(all[0]!, lines)], [...shown(whole, lines)], `${JSON.stringify(lines)} at ${one}, ${other}`);
    }
  }
});

test("a line that comes in parts is what it is at once", () => {
  const next = random(43);
  for (let round = 0; round < 300; round++) {
    const lines = mixture(next, [...PIECES, ...DOWN, ...SAVE], 1 + next(12));
    const made = new Screen(1, true);
    for (const line of lines) {
      const tokens = line.match(/\x1b(?:\[[\d;?]*[A-Za-z]|\].*?\x07|.)|[^\x1b]/gsu) ?? [];
      const cut = next(4);
      made.feed(tokens.slice(0, cut).join(""), PLAIN);
      for (let at = cut; at < tokens.length; at++) made.more(tokens[at]!);
    }
    const plain = new Screen(1, true);
    for (const line of lines) plain.feed(line, PLAIN);
    assert.deepEqual([...shown(made, lines)], [...shown(plain, lines)], JSON.stringify(lines));
  }
});
