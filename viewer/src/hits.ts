/** Hits of a search, marked in the rows that are visible. */

import { range, type Row } from "./rows.js";
import type { Query, Search } from "./search.js";
import type { View } from "./view.js";

/** Hits that are marked in one row. */
const MOST = 500;

export function highlight(rows: readonly Row[], { query, hits, places, current }: Search, view: View): void {
  const known = new Set(query.regex ? hits : []);
  for (const row of rows) {
    row.element.classList.toggle("hit-row", row.line === current || (query.regex && known.has(row.line)));
  }
  if (typeof Highlight === "undefined") return;
  const [all, now] = [new Highlight(), new Highlight()];
  const literal = query.text && !query.regex ? pattern(query) : null;
  for (const row of rows) {
    const marked = literal
      ? Array.from(row.text.textContent!.matchAll(literal), (match): [number, number] => [match.index, match.index + match[0].length])
      : (places.get(row.line) ?? []).slice(0, MOST).map((found) => view.hits!.locate(row, found));
    for (const place of marked.slice(0, MOST)) if (place) (row.line === current ? now : all).add(range(row, place));
  }
  CSS.highlights.set("hit", all);
  CSS.highlights.set("hit-now", now);
}

/** What the server takes for equal: of ASCII letters their own small ones only, of others all that Unicode has. */
export function pattern({ text, matchCase }: Pick<Query, "text" | "matchCase">): RegExp {
  const flags = matchCase ? "g" : /^[\0-\x7f]*$/.test(text) ? "gi" : "giu";
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), flags);
}
