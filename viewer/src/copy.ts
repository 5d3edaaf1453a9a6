/** Copying: the text of a selection, however much of it is visible, without its escape sequences or with them. */

import { parse, PLAIN } from "./ansi.js";

/** More than this is not put on a clipboard without asking. */
export const MUCH = 5 * 1024 * 1024;

/** Lines as a terminal would show them, from a column of the first one to a column of the last one. */
export function plain(bytes: Uint8Array, from = 0, to = Infinity): string {
  const lines = new TextDecoder().decode(bytes).split("\n");
  const ended = lines.length > 1 && lines.at(-1) === "";
  if (ended) lines.pop();
  const texts = lines.map((line) =>
    parse(line, PLAIN)
      .runs.map(({ text }) => text)
      .join(""),
  );
  const last = texts.length - 1;
  if (to !== Infinity && last >= 0) texts[last] = texts[last]!.slice(0, to);
  if (last >= 0) texts[0] = texts[0]!.slice(from);
  return texts.join("\n") + (ended && to === Infinity ? "\n" : "");
}

/** Put text on the clipboard, as soon as it is there. False: the browser does not let us. */
export async function copy(text: Promise<string>): Promise<boolean> {
  try {
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

/** Offer text as a file. */
export function download(name: string, text: BlobPart): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
