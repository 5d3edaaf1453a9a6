/**
 * What a terminal shows of logs: what xterm.js has on its screen and above it, a text for each line of the log.
 *
 *   node test/screen.mjs < LOGS     LOGS: a JSON object of texts by name; writes the same with arrays of lines
 */

import { readFileSync } from "node:fs";
import unicode from "@xterm/addon-unicode11";
import xterm from "@xterm/headless";

const screens = {};
for (const [name, log] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  const screen = new xterm.Terminal({ cols: 500, rows: 50, scrollback: 100_000, convertEol: true, allowProposedApi: true });
  screen.loadAddon(new unicode.Unicode11Addon());
  screen.unicode.activeVersion = "11";
  await new Promise((done) => screen.write(log, done));
  const { active } = screen.buffer;
  const lines = [];
  for (let at = 0; at <= active.baseY + active.cursorY; at++) {
    const row = active.getLine(at);
    const text = row.translateToString(!active.getLine(at + 1)?.isWrapped);
    if (row.isWrapped) lines.push(lines.pop() + text);
    else lines.push(text);
  }
  if (lines.at(-1) === "") lines.pop(); // the log's last line has ended
  screens[name] = lines;
}
console.log(JSON.stringify(screens));
