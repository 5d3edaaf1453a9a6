/** What the user copies: what is selected, the lines that are marked, a link. Loaded when something is selected, marked, or copied. */

import { html, nothing } from "lit-html";
import { reasonOf } from "./api.js";
import { copy, download, link, MUCH } from "./clipboard.js";
import { type Bytes, plain, type Read } from "./copy.js";
import { icon } from "./icons.js";
import type { Caret } from "./selecting.js";
import type { Lines } from "./fragment.js";
import type { Log } from "./log.js";
import type { Notices } from "./notices.js";
import type { Left, Numbered } from "./source.js";
import { count } from "./state.js";
import type { View } from "./view.js";

/** From the beginning of the first line to the end of the last one. */
const WHOLE: readonly [Caret, Caret] = [{ line: 0, column: 0, start: 0 }, { line: 0, column: Infinity, start: 0 }];

export class Copying {
  /** `fileName`: what a text that is too long for the clipboard is saved as; `download`: the address of what is shown. */
  constructor(
    private readonly log: Log,
    private readonly view: View,
    private readonly notices: Notices,
    private readonly fileName: () => string,
    private readonly download: () => string,
  ) {}

  /** As the page shows lines, so they are copied. */
  get #read(): Read | undefined {
    const { meanings } = this.view;
    return meanings ? (runs, at) => meanings.text(runs, at) : undefined;
  }

  /** What can be done with the lines that are marked. */
  lines(link: () => void, unmark: () => void): unknown {
    const { marked } = this.view;
    if (!marked || !this.log.store.numbered) return nothing;
    const lines = marked.from === marked.to ? `Line ${count(marked.from)}` : `${count(marked.to - marked.from + 1)} lines`;
    return html`<span class="chip" role="group" aria-label="Marked lines">${lines}
      <button @click=${() => this.marked(false)}>Copy</button><button @click=${() => this.marked(true)} title="With escape sequences">Raw</button>
      <button @click=${link}>Link</button>
      <button class="square" aria-label="Unmark" @click=${unmark}>${icon("close")}</button></span>`;
  }

  async link(url: string): Promise<void> {
    const done = await copy(Promise.resolve(url));
    this.notices.tell(done ? "Link copied" : url);
  }

  /** Copy the marked lines. `raw`: with their escape sequences. */
  async marked(raw: boolean): Promise<void> {
    const { marked } = this.view;
    const { left } = this.view.source;
    if (!marked) return;
    if (left) return this.#left(left, marked, ...WHOLE, raw, null);
    const rows = raw ? null : this.#rows(marked, ...WHOLE);
    if (rows !== null) await this.#copy(() => Promise.resolve(rows), rows.length);
    else await this.#range(marked, (part) => (raw ? part.charset.decode(part.bytes, part.at) : plain(part, undefined, undefined, this.#read)));
  }

  /** Copy these lines, as `text` has them. */
  async #range(lines: Lines, text: (part: Bytes) => string): Promise<void> {
    try {
      const [start, stop] = await this.view.range(lines);
      await this.#copy(() => this.log.bytes(start, stop).then((bytes) => text({ bytes, at: start, charset: this.log.charset })), stop - start);
    } catch (error) {
      this.notices.tell(reasonOf(error));
    }
  }

  /** Copy a text of about this size, in bytes. */
  async #copy(whole: () => Promise<string>, size: number): Promise<void> {
    const { notices } = this;
    try {
      const save = () => void whole().then((ready) => download(this.fileName(), ready), (error) => notices.tell(reasonOf(error)));
      if (size > MUCH) return notices.tell("That is a lot of text:", "Download it", save);
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
    const { left } = this.view.source;
    if (left) return void this.#left(left, lines, from, to, false, event);
    const rows = this.#rows(lines, from, to);
    if (rows !== null && !event) return void this.#copy(() => Promise.resolve(rows), rows.length);
    const bytes = rows === null ? store.bytesOf(lines.from, lines.to) : null;
    if ((rows === null && !bytes) || !event) return void this.#range(lines, (part) => plain(part, from, to, this.#read));
    const text = rows ?? plain({ bytes: bytes!, at: store.get(lines.from)?.at ?? 0, charset }, from, to, this.#read);
    event.clipboardData?.setData("text/plain", text);
    this.#told(text);
  }

  /** Copy lines between which others are left out. */
  async #left(left: Left, lines: Lines, from: Caret, to: Caret, raw: boolean, event: ClipboardEvent | null): Promise<void> {
    const { meanings } = this.view;
    const read: Read = (runs, at) => meanings?.text(runs, at) ?? runs.map(({ text }) => text).join("");
    const whole = (parts: readonly Numbered[]) => parts.map((part) => {
      if (raw) return part.charset.decode(part.bytes, part.at);
      return plain(part, part.number === from.line ? from : undefined, part.number === to.line ? to : undefined, read);
    }).join("\n") + (parts.length && to.column === Infinity ? "\n" : "");
    const known = left.known(lines.from, lines.to);
    if (known && event) {
      const text = whole(known);
      event.clipboardData?.setData("text/plain", text);
      return this.#told(text);
    }
    try {
      const parts = known ?? (await left.ask(lines.from, lines.to));
      const save = () => link(this.fileName(), this.download());
      if (!parts) return this.notices.tell("That is a lot of text:", "Download all lines that are shown", save);
      const text = whole(parts);
      await this.#copy(() => Promise.resolve(text), text.length);
    } catch (error) {
      this.notices.tell(reasonOf(error));
    }
  }

  /** What a terminal shows of lines that write over each other, from one place to another; null: these do not, or are not all here. */
  #rows(lines: Lines, from: Caret, to: Caret): string | null {
    const rows = from.start || to.start ? null : this.view.terminal?.rows(lines.from, lines.to);
    if (!rows) return null;
    const texts = rows.map(({ line, text }) => text.slice(line === from.line ? from.column : 0, line === to.line ? to.column : undefined));
    return texts.join("\n") + (to.column === Infinity ? "\n" : "");
  }

  #told(text: string): void {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    this.notices.tell(`Copied ${count(lines)} ${lines === 1 ? "line" : "lines"}`);
  }
}
