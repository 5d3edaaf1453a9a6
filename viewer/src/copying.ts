/** What the user copies: what is selected, the lines that are marked, a link. Loaded when something is selected, or copied. */

import { reasonOf } from "./api.js";
import { copy, download, MUCH } from "./clipboard.js";
import { type Bytes, plain, type Read } from "./copy.js";
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
  ) {}

  /** As the page shows lines, so they are copied. */
  get #read(): Read | undefined {
    const { meanings } = this.view;
    return meanings ? (runs, at) => meanings.text(runs, at) : undefined;
  }

  async link(url: string): Promise<void> {
    const done = await copy(Promise.resolve(url));
    this.notices.tell(done ? "Link copied" : url);
  }

  /** Copy the marked lines. `raw`: with their escape sequences. */
  async marked(raw: boolean): Promise<void> {
    const { marked } = this.view;
    if (marked) await this.#range(marked, (part) => (raw ? part.charset.decode(part.bytes, part.at) : plain(part, undefined, undefined, this.#read)));
  }

  /** Copy these lines, as `text` has them. */
  async #range(lines: Lines, text: (part: Bytes) => string): Promise<void> {
    const { notices } = this;
    try {
      const [start, stop] = await this.view.range(lines);
      const whole = () => this.log.bytes(start, stop).then((bytes) => text({ bytes, at: start, charset: this.log.charset }));
      const save = () => void whole().then((ready) => download(this.fileName(), ready), (error) => notices.tell(reasonOf(error)));
      if (stop - start > MUCH) return notices.tell("That is a lot of text:", "Download it", save);
      const ready = whole();
      if (await copy(ready)) this.#told(await ready);
      else notices.tell("The browser lets no page copy here:", "Download it", save);
    } catch (error) {
      notices.tell(reasonOf(error));
    }
  }

  /** Copy what is selected: the log's text, of which only some may be on the page, or in memory. `event`: the one that asks for it, if it still can be answered. */
  selected(event: ClipboardEvent | null): void {
    const { selection } = this.view;
    if (!selection) return;
    const { from, to } = selection;
    const lines = { from: Math.max(1, from.line), to: Math.min(to.line, this.log.store.last) };
    const { store, charset } = this.log;
    const bytes = store.bytesOf(lines.from, lines.to);
    if (!bytes || !event) return void this.#range(lines, (part) => plain(part, from, to, this.#read));
    const text = plain({ bytes, at: store.get(lines.from)?.at ?? 0, charset }, from, to, this.#read);
    event.clipboardData?.setData("text/plain", text);
    this.#told(text);
  }

  #told(text: string): void {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    this.notices.tell(`Copied ${count(lines)} ${lines === 1 ? "line" : "lines"}`);
  }
}
