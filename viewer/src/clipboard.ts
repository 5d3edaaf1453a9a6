/** Text for the clipboard, or for a file. */

/** More than this is not put on a clipboard without asking. */
export const MUCH = 5 * 1024 * 1024;

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
  const url = URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
  link(name, url);
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Offer what is behind an address as a file. */
export function link(name: string, url: string): void {
  const element = document.createElement("a");
  element.href = url;
  element.download = name;
  element.click();
}
