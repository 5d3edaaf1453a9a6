/** What the user copies: what is selected, the lines that are marked, a link. */

import { reasonOf } from "./api.js";
import { copy, download, MUCH, plain } from "./copy.js";
import type { Lines } from "./fragment.js";
import type { Log } from "./log.js";
import type { Notices } from "./notices.js";
import { count } from "./state.js";
import type { View } from "./view.js";

export class Copying {
  /** `fileName`: what a text that is too long for the clipboard is saved as. */
  constructor(
    private readonly log: Log,
    private readonly view: View,
    private readonly notices: Notices,
    private readonly fileName: () => string,
  ) {
    document.addEventListener("copy", (event) => this.#copied(event));
  }

  async link(url: string): Promise<void> {
    const done = await copy(Promise.resolve(url));
    this.notices.tell(done ? "Link copied" : url);
  }

  /** Copy the marked lines. `raw`: with their escape sequences. */
  async marked(raw: boolean): Promise<void> {
    const { marked } = this.view;
    if (marked) await this.#range(marked, (bytes) => (raw ? new TextDecoder().decode(bytes) : plain(bytes)));
  }

  async #range(lines: Lines, text: (bytes: Uint8Array) => string): Promise<void> {
    const { notices } = this;
    try {
      const to = Math.min(lines.to, this.log.store.last);
      const [start, stop] = await this.view.range({ from: lines.from, to });
      const whole = () => this.log.bytes(start, stop).then(text);
      const save = () => void whole().then((ready) => download(this.fileName(), ready), (error) => notices.tell(reasonOf(error)));
      if (stop - start > MUCH) return notices.tell("That is a lot of text:", "Download it", save);
      if (await copy(whole())) notices.tell(`Copied ${count(to - lines.from + 1)} ${to === lines.from ? "line" : "lines"}`);
      else notices.tell("The browser lets no page copy here:", "Download it", save);
    } catch (error) {
      notices.tell(reasonOf(error));
    }
  }

  /** Copy what is selected, of which only some may be on the page. */
  #copied(event: ClipboardEvent): void {
    const { selection } = this.view;
    if (!selection || (event.target as Element | null)?.closest?.("input")) return;
    const { from, to } = selection;
    const shown = this.view.lines;
    if (shown.includes(from.line) && shown.includes(to.line)) return this.#shown(event, from, to);
    event.preventDefault();
    void this.#range({ from: from.line, to: to.line }, (bytes) => plain(bytes, from.column, to.column));
  }

  #shown(event: ClipboardEvent, from: { line: number; column: number }, to: { line: number; column: number }): void {
    const texts = this.view.texts(from.line, to.line);
    texts[texts.length - 1] = texts.at(-1)!.slice(0, to.column);
    texts[0] = texts[0]!.slice(from.column);
    event.clipboardData?.setData("text/plain", texts.join("\n"));
    event.preventDefault();
  }
}
