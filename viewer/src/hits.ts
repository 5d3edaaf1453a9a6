/** Hits of a search, marked in the rows that are visible. */

import { type Row, spot } from "./rows.js";
import type { Query, Search } from "./search.js";

/** Hits that are marked in one row. */
const MOST = 100;

export function highlight(rows: readonly Row[], { query, hits, current }: Search): void {
  const known = new Set(query.regex ? hits : []);
  for (const row of rows) {
    row.element.classList.toggle("hit-row", row.line === current || (query.regex && known.has(row.line)));
  }
  if (typeof Highlight === "undefined") return;
  const [all, now] = [new Highlight(), new Highlight()];
  if (query.text && !query.regex) for (const row of rows) mark(row, query, row.line === current ? now : all);
  CSS.highlights.set("hit", all);
  CSS.highlights.set("hit-now", now);
}

function mark(row: Row, { text, matchCase }: Query, into: Highlight): void {
  const fold = (what: string) => (matchCase ? what : what.toLowerCase());
  const whole = row.text.textContent ?? "";
  const hay = fold(whole);
  if (hay.length !== whole.length) return;
  const needle = fold(text);
  for (let found = hay.indexOf(needle), many = 0; found >= 0 && many < MOST; found = hay.indexOf(needle, found + needle.length), many++) {
    const range = document.createRange();
    range.setStart(...spot(row.text, found));
    range.setEnd(...spot(row.text, found + needle.length));
    into.add(range);
  }
}
