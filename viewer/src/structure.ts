/** Structured lines as they are shown: folded to one row, or open, with a row for each field. Loaded when there is such a line. */

import { lineButton } from "./buttons.js";
import type { Run } from "./cells.js";
import type { Piece } from "./meaning.js";
import { CHOICES, levelPattern } from "./levels.js";
import { elements, make } from "./rows.js";
import { piecesOf, type Structured, structured } from "./structured.js";

/** A link to this page, with the search for records of this level and of graver ones. */
function onlyLevel(level: string): HTMLElement {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries({ q: levelPattern(level), regex: "1", only: "1" })) url.searchParams.set(name, value);
  url.searchParams.delete("case");
  url.searchParams.delete("invert");
  url.hash = "";
  const link = make("a", "one said");
  link.setAttribute("href", url.href);
  link.setAttribute("aria-label", `Only records of level ${level}${level === "error" ? "" : " and above"}`);
  link.dataset["said"] = level === "error" ? "only errors" : `only ${level} and above`;
  return link;
}

export class Structure {
  /** How many rows more than one lines have that are open, by where they begin in the log. */
  readonly #open = new Map<number, number>();
  /** Keys that are shown in open lines only. */
  readonly #hidden = new Set<string>();

  /** Rows that a line has more than one. */
  more(at: number): number {
    return this.#open.get(at) ?? 0;
  }

  #pieces(found: Structured, at: number): Piece[] {
    return piecesOf(found, this.#open.has(at), this.#hidden);
  }

  /** The text of a line as it is shown; null: it is not structured. */
  text(text: string, at: number): string | null {
    const found = structured(text);
    return found && this.#pieces(found, at).map((piece) => piece.text).join("");
  }

  nodes(runs: readonly Run[], at: number, dark: boolean): { level: string; nodes: Node[] } | null {
    const found = structured(runs.map(({ text }) => text).join(""));
    if (!found) return null;
    const isOpen = this.#open.has(at);
    const fold = lineButton("one fold", isOpen ? "▾" : "▸", isOpen ? "Fold this line" : "Show all fields of this line");
    fold.setAttribute("aria-expanded", String(isOpen));
    const nodes: Node[] = found.fields.length ? [fold] : [];
    let field = 0;
    for (const piece of this.#pieces(found, at)) {
      if (!piece.kind) nodes.push(...elements([piece], 1, dark));
      else nodes.push(make("span", piece.kind, piece.text));
      if (!isOpen || piece.kind !== "value") continue;
      const { key } = found.fields[field++]!;
      const isHidden = this.#hidden.has(key);
      const hide = lineButton("one hide", isHidden ? "show" : "hide", `${isHidden ? "Show" : "Hide"} ${key} in folded lines`);
      hide.dataset["key"] = key;
      hide.tabIndex = 0;
      nodes.push(hide);
    }
    const level = found.level === "notice" ? "info" : found.level;
    if (isOpen && CHOICES.includes(level)) nodes.push(onlyLevel(level));
    return { level: found.level || "record", nodes };
  }

  /** A button in a line was clicked. False: it is none of these. */
  click(target: Element, at: number, text: () => string): boolean {
    const key = target.closest<HTMLElement>(".hide")?.dataset["key"];
    if (key !== undefined) {
      if (!this.#hidden.delete(key)) this.#hidden.add(key);
    } else if (!target.closest(".one.fold")) return false;
    else return this.toggle(at, text());
    return true;
  }

  /** Open a line, or fold it. False: it is not structured. */
  toggle(at: number, text: string): boolean {
    const found = structured(text);
    if (found && !this.#open.delete(at)) this.#open.set(at, found.fields.length);
    return found !== null;
  }
}
