/** Which lines are shown as what they mean, and which are not shown; each can be had as it is in the log. */

import { lineButton } from "./buttons.js";
import type { Charset } from "./charset.js";
import type { Run } from "./cells.js";
import { isHidden, type Meaning, meaningOf, type Piece } from "./meaning.js";
import { contentOf } from "./content.js";
import { MASK } from "./mask.js";
import { elements, make, type Meanings as Shown } from "./rows.js";
import type { Line } from "./store.js";
import type { Structure } from "./structure.js";
import type { View } from "./view.js";

/** Characters of a line that tell whether it is hidden, or has a secret. */
const HEAD = 400;
/** What a structured line may have. */
const RECORD = /^[^{="]{0,80}\{\s*"|(?:^|\s)(?:level|lvl|severity|msg|message)=/;

export class Meanings implements Shown {
  version = 0;
  /** Whether a line is hidden, by its first bytes. */
  readonly #hidden = new WeakMap<Line, boolean>();
  /** Lines that are shown as they are in the log: where they begin in it. */
  #raw = new Set<number>();

  #structure: Structure | null = null;

  /** `charset`: that of the log; `load`: what structured lines are shown with. */
  constructor(
    private readonly view: View,
    private readonly charset: () => Charset,
    private readonly load: (act: (structure: Structure) => void) => void,
  ) {
    view.meanings = this;
    view.refresh();
  }

  hides(line: Line | undefined): boolean {
    if (!line || this.view.raw || this.#raw.has(line.at)) return false;
    let isKnown = this.#hidden.get(line);
    if (isKnown === undefined) {
      isKnown = isHidden(this.#head(line));
      if (line.finished || line.length > HEAD) this.#hidden.set(line, isKnown);
    }
    return isKnown;
  }

  #head({ bytes, at }: Line): string {
    // Most lines need no decoder.
    if (!bytes.subarray(0, HEAD).some((byte, place) => byte === 58 || byte === 35 || byte === 94 || place > 60)) return "";
    return this.charset().decode(bytes.subarray(0, HEAD), at, false);
  }

  nodes(line: Line, runs: Run[], isPart: boolean, spans: number, dark: boolean): { level: string; nodes: Node[] } | null {
    if (this.view.raw) return null;
    if (this.#raw.has(line.at)) return { level: "", nodes: [...elements(runs, spans, dark), lineButton("one raw", "meaning", "Show what this line means")] };
    // A part of a long line does not show what its beginning says must not be shown.
    const meaning = isPart ? (MASK.test(this.#head(line)) ? meaningOf([{ ...runs[0]!, text: this.#head(line) }]) : null) : meaningOf(runs);
    if (!meaning?.level) {
      const pieces = meaning?.pieces ?? runs;
      return isPart ? null : (this.#structured(line, pieces, dark) ?? (meaning && { level: "", nodes: elements(pieces, spans, dark) }));
    }
    const nodes = meaning.pieces.flatMap((piece) => (piece.kind ? [span(piece)] : elements([piece], spans, dark)));
    return { level: meaning.level, nodes: [...nodes, rawButton()] };
  }

  /** The text of a line as it is shown; null: it is not shown. */
  text(runs: readonly Run[], at: number): string | null {
    const text = runs.map((run) => run.text).join("");
    if (this.view.raw || this.#raw.has(at)) return text;
    if (isHidden(text)) return null;
    const meaning = meaningOf(runs);
    const shown = textOf(meaning) ?? text;
    return (meaning?.level ? null : this.#structure?.text(shown, at)) ?? shown;
  }

  #structured(line: Line, runs: readonly Run[], dark: boolean): { level: string; nodes: Node[] } | null {
    const found = this.#structure?.nodes(runs, line.at, dark);
    if (found) return { ...found, nodes: [...found.nodes, rawButton()] };
    if (!this.#structure && RECORD.test(runs.map(({ text }) => text).join(""))) {
      this.load((structure) => {
        this.#structure ??= structure;
        this.#changed();
      });
    }
    return null;
  }

  /** Rows that a line takes more than one, where long lines are not wrapped. */
  more(line: Line): number {
    return this.view.raw || this.#raw.has(line.at) ? 0 : (this.#structure?.more(line.at) ?? 0);
  }

  toggle(line: Line | undefined): boolean {
    const isOne = !!line && !!this.#structure?.toggle(line.at, this.#text(line));
    if (isOne) this.#changed();
    return isOne;
  }

  #text(line: Line): string {
    return contentOf(line, this.charset()).runs.map(({ text }) => text).join("");
  }

  #changed(): void {
    this.version++;
    this.view.refresh();
  }

  /** Something in a line was clicked. True: that is all there is to do. */
  click(target: Element, line: Line | undefined): boolean {
    if (!line || !target.closest("button.one")) return target.closest("a.one") !== null;
    if (!this.#structure?.click(target, line.at, () => this.#text(line)) && !this.#raw.delete(line.at)) this.#raw.add(line.at);
    this.#changed();
    return true;
  }
}

const rawButton = () => lineButton("one", "raw", "Show this line as it is in the log");

function span({ kind, text }: Piece): HTMLElement {
  return make("span", kind, text);
}

function textOf(meaning: Meaning | null): string | undefined {
  return meaning?.pieces.map(({ text }) => text).join("");
}
