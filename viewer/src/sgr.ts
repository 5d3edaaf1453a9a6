/** Styles of text, and the SGR sequences (ECMA-48 section 8.3.117) that set them. Pure. */

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

/** Parameters of an SGR sequence. Longer ones are ignored, as the server ignores them. */
export const PARAMETERS = /^[0-9;:]{0,61}$/;

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
        const taken = { 2: 4, 5: 2 }[fields[at + 1] ?? ""];
        if (!taken || at + taken >= fields.length) break; // a colour that is not whole: what follows is no parameter of its own
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

/** Whether the cursor has gone to another row anywhere in the lines that were looked at. */
export const seen = { rows: false };

/** Look for what goes to a row above. */
export function look(text: string): void {
  seen.rows ||= /\x1b(?:\[\d*[AF]|M)/.test(text);
}

/** The style at the end of a line, without looking at its text. A reset of the whole terminal resets the style, too. */
export function styleAfter(text: string, style: Style): Style {
  for (const [, parameters] of text.matchAll(/\x1b(?:\[([0-9;:]{0,61})m|c|\[!p)/g)) style = parameters === undefined ? PLAIN : sgr(style, parameters);
  return style;
}
