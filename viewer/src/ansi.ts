/**
 * What a terminal would show of one line: text in runs of one style each. Pure.
 *
 * Understood: SGR (16, 256 and true colours, in `;` and `:` form), carriage return and backspace (what follows overwrites),
 * EL (erase in line), OSC 8 links to http, https and mailto. Every other escape sequence is swallowed. What only looks
 * like one and never ends is shown as text: no printable character is lost, unless something is written over it.
 */

/** A colour: -1 is the default, 0 to 255 the palette, and 0x1000000 + RGB a true colour. */
export type Colour = number;

export const BOLD = 1, DIM = 2, ITALIC = 4, UNDERLINE = 8, INVERSE = 16, CONCEAL = 32, STRIKE = 64;

export interface Style {
  readonly fg: Colour;
  readonly bg: Colour;
  /** A sum of BOLD, DIM, ... */
  readonly flags: number;
}

export const PLAIN: Style = { fg: -1, bg: -1, flags: 0 };

export interface Run {
  text: string;
  readonly style: Style;
  readonly href: string;
}

const SET: Record<number, number> = { 1: BOLD, 2: DIM, 3: ITALIC, 4: UNDERLINE, 5: 0, 7: INVERSE, 8: CONCEAL, 9: STRIKE, 21: UNDERLINE };
const UNSET: Record<number, number> = { 22: BOLD | DIM, 23: ITALIC, 24: UNDERLINE, 27: INVERSE, 28: CONCEAL, 29: STRIKE };

/** The style after `ESC [ parameters m` where `style` was in force. */
export function sgr(style: Style, parameters: string): Style {
  let { fg, bg, flags } = style;
  const fields = parameters.split(";");
  for (let at = 0; at < fields.length; at++) {
    const parts = fields[at]!.split(":");
    const code = Number(parts[0] || 0);
    if (code === 0) [fg, bg, flags] = [-1, -1, 0];
    else if (code === 4 && parts[1] === "0") flags &= ~UNDERLINE;
    else if (code in SET) flags |= SET[code]!;
    else if (code in UNSET) flags &= ~UNSET[code]!;
    else if (code >= 30 && code <= 37) fg = code - 30;
    else if (code >= 90 && code <= 97) fg = code - 82;
    else if (code === 39) fg = -1;
    else if (code >= 40 && code <= 47) bg = code - 40;
    else if (code >= 100 && code <= 107) bg = code - 92;
    else if (code === 49) bg = -1;
    else if (code === 38 || code === 48 || code === 58) {
      let colour: Colour | null;
      if (parts.length > 1) colour = extended(parts.slice(1), true);
      else {
        const taken = fields[at + 1] === "2" ? 4 : fields[at + 1] === "5" ? 2 : 1;
        colour = extended(fields.slice(at + 1, at + 1 + taken), false);
        at += taken;
      }
      if (colour === null || code === 58) continue;
      if (code === 38) fg = colour;
      else bg = colour;
    }
  }
  return fg === style.fg && bg === style.bg && flags === style.flags ? style : { fg, bg, flags };
}

function extended(fields: string[], colons: boolean): Colour | null {
  const [kind, ...rest] = fields;
  if (kind === "5") return valid(rest[0]) ? Number(rest[0]) : null;
  if (kind !== "2") return null;
  const rgb = colons && rest.length > 3 ? rest.slice(1, 4) : rest.slice(0, 3);
  if (rgb.length < 3 || !rgb.every(valid)) return null;
  return rgb.reduce((sum, part) => sum * 256 + Number(part), 1);
}

function valid(text: string | undefined): boolean {
  return text !== undefined && Number(text) <= 255;
}

/** Red, green and blue, 0 to 255 each, of a palette's colour above the first 16, which are the theme's, or of a true colour. */
export function rgb(colour: Colour): number[] {
  if (colour >= 0x1000000) return [16, 8, 0].map((shift) => (colour >> shift) & 255);
  if (colour >= 232) return Array<number>(3).fill(8 + (colour - 232) * 10);
  return [36, 6, 1].map((size) => Math.floor((colour - 16) / size) % 6).map((step) => (step ? 55 + step * 40 : 0));
}

// CSI; OSC; other strings (DCS, SOS, PM, APC); other escapes, the unfinished ones at the end; a control.
const TOKEN =
  /\x1b\[([0-?]*)[ -/]*([@-~]|$)|\x1b\]([^\x07\x1b]*)(?:\x07|\x1b\\)|\x1b[PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*(?:[0-OQ-WYZ`-~\\]|$)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

const MOVES = /\r(?!$)|\x08|\x1b\[[0-?]*[CDGK]/;

/** How far to the right a cursor goes by itself. */
const WIDE = 500;

const LINK = /^(?:https?:\/\/|mailto:)/i;

/** What is shown of `text`, a line, where `style` is in force at its beginning. */
export function parse(text: string, style: Style): { runs: Run[]; style: Style } {
  const paper = MOVES.test(text) ? new Cells() : new Runs();
  let href = "";
  let at = 0;
  const put = (piece: string) => piece && paper.put(piece, style, href);
  TOKEN.lastIndex = 0;
  for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
    put(text.slice(at, token.index));
    at = TOKEN.lastIndex;
    const [whole, parameters, final, command] = token;
    if (whole === "\r") paper.home();
    else if (whole === "\b") paper.back();
    else if (final === "m" && /^[0-9;:]*$/.test(parameters!)) style = sgr(style, parameters!);
    else if (final === "K") paper.erase(Number(parameters || 0));
    else if (final && "CDG".includes(final)) paper.move(final, Number(parameters) || 1);
    else if (command?.startsWith("8;")) {
      const target = command.slice(command.indexOf(";", 2) + 1);
      href = LINK.test(target) ? target : "";
    } else if (whole.length === 1) put(picture(whole));
  }
  put(text.slice(at));
  return { runs: paper.runs(), style };
}

/** The style at the end of a line, without looking at its text. */
export function styleAfter(text: string, style: Style): Style {
  for (const [, parameters] of text.matchAll(/\x1b\[([0-9;:]*)m/g)) style = sgr(style, parameters!);
  return style;
}

/** A control character as something to look at: it must neither vanish nor turn the line around. */
function picture(control: string): string {
  const code = control.charCodeAt(0);
  if (code < 32) return code === 7 || code === 27 ? "" : String.fromCharCode(0x2400 + code);
  return code === 127 ? "\u2421" : `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}

/** Text that is only ever appended to. */
class Runs {
  readonly #list: Run[] = [];

  put(text: string, style: Style, href: string): void {
    const last = this.#list.at(-1);
    if (last && last.style === style && last.href === href) last.text += text;
    else this.#list.push({ text, style, href });
  }

  home(): void {}
  back(): void {}
  erase(_what: number): void {}
  move(_final: string, _count: number): void {}

  runs(): Run[] {
    return this.#list;
  }
}

/** Text that may be written over: a cell for each character with what combines with it. */
class Cells {
  #cells: Run[] = [];
  #cursor = 0;

  put(text: string, style: Style, href: string): void {
    for (const character of text) {
      const before = this.#cells[this.#cursor - 1];
      if (before && /^[\p{M}\u200d]$/u.test(character)) before.text += character;
      else {
        while (this.#cells.length < this.#cursor) this.#cells.push(blank());
        this.#cells[this.#cursor++] = { text: character, style, href };
      }
    }
  }

  home(): void {
    this.#cursor = 0;
  }

  back(): void {
    this.#cursor = Math.max(0, this.#cursor - 1);
  }

  /** To a column, or some to the right or to the left. A terminal stops at its edge. */
  move(final: string, count: number): void {
    const to = final === "G" ? count - 1 : this.#cursor + (final === "C" ? count : -count);
    this.#cursor = Math.max(0, Math.min(to, Math.max(this.#cursor, WIDE)));
  }

  erase(what: number): void {
    if (what === 0) this.#cells.length = Math.min(this.#cells.length, this.#cursor);
    else if (what === 1) for (let at = 0; at <= this.#cursor && at < this.#cells.length; at++) this.#cells[at] = blank();
    else if (what === 2) this.#cells = [];
  }

  runs(): Run[] {
    const runs = new Runs();
    for (const { text, style, href } of this.#cells) runs.put(text, style, href);
    return runs.runs();
  }
}

function blank(): Run {
  return { text: " ", style: PLAIN, href: "" };
}
