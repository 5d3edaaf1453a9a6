/** The colours in which a log's text is shown: as the log says, as far as they can be read. Pure. */

import { type Colour, DIM, INVERSE, type Style } from "./sgr.js";

type Rgb = readonly number[];

/** A theme: its ground, that of marked lines, its text, and the first 16 colours, for text on that ground. */
interface Theme {
  readonly back: Rgb;
  readonly marked: Rgb;
  readonly text: Rgb;
  readonly palette: readonly Rgb[];
}

function theme(back: number, marked: number, text: number, palette: readonly number[]): Theme {
  const [ground, words] = [parts(back), parts(text)];
  const known = palette.map(parts);
  // The bright colours are nearer to the text.
  const bright = known.slice(1, 7).map((colour) => mix(colour, words, 0.2));
  return { back: ground, marked: parts(marked), text: words, palette: [...known.slice(0, 9), ...bright, known[9]!] };
}

/** 0 to 8, and 15. */
const LIGHT = theme(0xffffff, 0xfff3c4, 0x1c2330, [
  0x1c2330, 0xb3261e, 0x1a6b2f, 0x7a5200, 0x1d4fd7, 0x9a2494, 0x0b6472, 0x566070, 0x5b6575, 0x343d4a,
]);
const DARK = theme(0x0f141b, 0x3a3212, 0xd7dee8, [
  0x8f99a8, 0xff7b72, 0x5bd073, 0xe3b341, 0x79b0ff, 0xe48cf0, 0x56cfe0, 0xd7dee8, 0x8f99a8, 0xffffff,
]);
const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/** Contrast of text and its ground, at least (WCAG 1.4.3). */
export const ENOUGH = 4.5;

export interface Paint {
  readonly fg: Rgb;
  /** null: the ground of the page. */
  readonly bg: Rgb | null;
}

/**
 * The colours of a style. The first 16 are the theme's: as they are for text, a tint of them behind it. Inverse text is as
 * the page's ground on the colour itself, and so is black or white on a colour, as badges are. What cannot be read then is
 * nearer to black or to white.
 */
export function paint({ fg, bg, flags }: Style, dark: boolean): Paint {
  const { back, marked, text, palette } = dark ? DARK : LIGHT;
  const inverse = (flags & INVERSE) !== 0;
  if (inverse) [fg, bg] = [bg, fg];
  const stark = [0, 7, 15].includes(fg);
  const foreign = bg >= 16;
  const badge = inverse || (stark && bg > 0 && bg < 16 && ![7, 8, 15].includes(bg));
  let ground: Rgb | null = null;
  if (foreign) ground = rgb(bg);
  else if (bg >= 0) ground = badge ? palette[bg]! : mix(back, palette[bg]!, 0.2);
  else if (badge) ground = text;
  let ink: Rgb = fg < 0 ? text : fg < 16 ? palette[fg]! : rgb(fg);
  if (badge && !foreign) ink = fg < 16 ? back : ink;
  else if (foreign && fg < 16) {
    const light = luminance(ground!) > 0.18;
    ink = fg < 0 ? (light ? LIGHT : DARK).text : stark ? (fg ? WHITE : BLACK) : (light ? LIGHT : DARK).palette[fg]!;
  }
  if (flags & DIM) ink = mix(ink, ground ?? back, 0.2);
  return { fg: readable(ink, ground ?? marked), bg: ground };
}

/** A colour in which text can be read on this ground: as it is, or nearer to black or white. */
function readable(colour: Rgb, ground: Rgb): Rgb {
  const limit = contrast(BLACK, ground) > contrast(WHITE, ground) ? BLACK : WHITE;
  for (let part = 0; part < 1; part += 0.1) {
    const nearer = mix(colour, limit, part).map(Math.round);
    if (contrast(nearer, ground) >= ENOUGH) return nearer;
  }
  return limit;
}

/** Red, green and blue, 0 to 255 each, of a palette's colour above the first 16, which are the theme's, or of a true colour. */
export function rgb(colour: Colour): Rgb {
  if (colour >= 0x1000000) return parts(colour);
  if (colour >= 232) return Array<number>(3).fill(8 + (colour - 232) * 10);
  return [36, 6, 1].map((size) => Math.floor((colour - 16) / size) % 6).map((step) => (step ? 55 + step * 40 : 0));
}

function parts(colour: number): Rgb {
  return [16, 8, 0].map((shift) => (colour >> shift) & 255);
}

function mix(one: Rgb, other: Rgb, part: number): Rgb {
  return one.map((value, at) => value + (other[at]! - value) * part);
}

/** Relative luminance, and the ratio of two colours', as WCAG has them. */
function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((part) => (part <= 10 ? part / 3294 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

export function contrast(one: Rgb, other: Rgb): number {
  const [low, high] = [luminance(one), luminance(other)].sort((first, second) => first - second);
  return (high! + 0.05) / (low! + 0.05);
}
