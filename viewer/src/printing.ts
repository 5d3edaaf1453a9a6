/**
 * Printing: a sheet that is on paper only, with what is selected, or else with the last lines, and their numbers.
 *
 * The browser's own command prints what is in memory: it waits for nothing. The page's reads the lines first.
 */

import type { Page } from "./chrome.js";
import { contentOf } from "./content.js";
import type { Lines } from "./fragment.js";
import { make } from "./rows.js";
import { count } from "./state.js";
import { type Line, Store } from "./store.js";

/** Lines that are printed at most if none are selected; and if some are, as many as an answer has. */
const [LAST, MOST] = [2000, 10_000];

/** A line with its number; null: the server has not counted the lines yet. */
type Numbered = readonly [number | null, Line];

/** From now on the page prints the log. */
export function printing(page: Page): void {
  let isRead = false; // whether the sheet has just been made for this print: a browser may ignore `print`, so one that is there may be old
  page.print = () => void read(page).then((lines) => put(page, lines), () => put(page, inMemory(page))).then(() => {
    isRead = true;
    print();
    isRead = false;
  });
  addEventListener("beforeprint", () => isRead || put(page, inMemory(page)));
  addEventListener("afterprint", () => document.querySelector("#sheet")?.remove());
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key !== "p") return;
    event.preventDefault();
    page.print!();
  });
}

/** The lines that are selected; null: none are. */
function selected({ log, view: { selection } }: Page): Lines | null {
  return selection && { from: Math.max(1, selection.from.line), to: Math.min(selection.to.line, log.store.last) };
}

async function read(page: Page): Promise<Numbered[]> {
  const { log, view } = page;
  const lines = selected(page);
  if (view.source !== view.whole || (lines && !log.store.numbered)) return inMemory(page);
  const asked: Record<string, string> = lines ? { from: String(lines.from), count: String(Math.min(MOST, lines.to - lines.from + 1)) } : { tail: String(LAST) };
  const store = new Store();
  store.open(await page.api.lines(asked));
  const read: Numbered[] = [];
  for (let line = store.last; store.get(line); line--) read.push([store.numbered ? line : null, store.get(line)!]);
  return read.reverse();
}

/** What there is in memory of the lines, from the last one up to the first that is not. */
function inMemory(page: Page): Numbered[] {
  const { log: { store }, view: { source, whole } } = page;
  const lines = selected(page) ?? { from: 1, to: source.last };
  const most = page.view.selection ? MOST : LAST;
  const before = (line: number) => (source === whole ? line - 1 : source.previous(line));
  const found: Numbered[] = [];
  for (let line = before(lines.to + 1); line >= lines.from && found.length < most; line = before(line)) {
    const known = source.get(line);
    if (!known) break;
    found.push([store.numbered ? line : null, known]);
  }
  return found.reverse();
}

function put(page: Page, lines: readonly Numbered[]): void {
  document.querySelector("#sheet")?.remove();
  const sheet = make("section", "");
  sheet.id = "sheet";
  const [first, last] = [lines[0]?.[0], lines.at(-1)?.[0]];
  const which = first && last ? `lines ${count(first)} to ${count(last)} of ${count(page.log.store.last)}` : "";
  sheet.append(make("h1", "", page.title), make("p", "", [page.name, page.state.text, which].filter(Boolean).join(" · ")));
  for (const [number, line] of lines) {
    const text = textOf(page, number, line);
    if (text === null) continue;
    const row = make("div", "");
    row.append(make("span", "", number === null ? "·" : String(number)), make("code", "", text));
    sheet.append(row);
  }
  document.body.append(sheet);
}

/** The text of a line as the page shows it, or what is selected of it; null: it is not shown. */
function textOf({ log, view: { meanings, selection } }: Page, number: number | null, line: Line): string | null {
  const { runs, behind } = contentOf(line, log.charset);
  const whole = meanings ? meanings.text(runs, line.at) : runs.map(({ text }) => text).join("");
  if (whole === null) return null;
  const text = behind ? `${whole} …` : whole;
  if (!selection || selection.from.start || selection.to.start) return text;
  const { from, to } = selection;
  return text.slice(number === from.line ? from.column : 0, number === to.line ? to.column : undefined);
}
