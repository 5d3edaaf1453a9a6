/** Copying: the text of a selection, however much of it is visible, without its escape sequences or with them. */

import { parse } from "./ansi.js";
import type { Charset } from "./charset.js";
import { PLAIN } from "./sgr.js";

/** More than this is not put on a clipboard without asking. */
export const MUCH = 5 * 1024 * 1024;

/** Lines as a terminal would show them, from one place in the first of them to one in the last; all of them, if there are none. */
export function plain({ bytes, at, charset }: Bytes, from: Place = BEGINNING, to: Place = END): string {
  const shown = (start: number, stop: number) => parse(charset.decode(bytes.subarray(start, stop), at + start), PLAIN).runs.map(({ text }) => text).join("");
  const texts: string[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const stop = newline < 0 ? bytes.length : newline;
    const [first, last] = [start === 0, newline < 0 || newline === bytes.length - 1];
    const begin = first ? from.start : 0;
    let text = shown(start + begin, stop);
    if (last && to.column !== Infinity) {
      // What is counted from a place in the line has in front of it what is before that place.
      if (to.start > begin) text = shown(start + begin, start + to.start) + shown(start + to.start, stop).slice(0, to.column);
      else text = text.slice(0, to.column);
    }
    texts.push(first ? text.slice(from.column) : text);
    if (last && (newline < 0 || to.column !== Infinity)) break;
    start = stop + 1;
  }
  return texts.join("\n");
}

/** A part of a log: its bytes, the offset of the first one, and how they are text. */
export interface Bytes {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly charset: Charset;
}

/** A place in a line's text: so many characters behind byte `start` of the line. */
interface Place {
  readonly column: number;
  readonly start: number;
}

const BEGINNING: Place = { column: 0, start: 0 };
const END: Place = { column: Infinity, start: 0 };

/** Put text on the clipboard, as soon as it is there. False: the browser does not let us. */
export async function copy(text: Promise<string>): Promise<boolean> {
  try {
    if (!navigator.clipboard) return give(await text);
    if (typeof ClipboardItem === "undefined") await navigator.clipboard.writeText(await text);
    else {
      const blob = text.then((ready) => new Blob([ready], { type: "text/plain" }));
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
    }
    return true;
  } catch {
    return false;
  }
}

/** Without https a page may only answer to a copy: it does, to one that it begins itself, soon after the user's. */
function give(text: string): boolean {
  const answer = (event: ClipboardEvent) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  addEventListener("copy", answer, { capture: true, once: true });
  const done = document.execCommand("copy");
  removeEventListener("copy", answer, { capture: true });
  return done;
}

/** Offer text as a file. */
export function download(name: string, text: BlobPart): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
