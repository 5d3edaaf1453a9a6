/** The panel that lists the lines that an earlier log of the name does not have: what is new since the last good run. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { Address } from "./address.js";
import { type Api, type Attempt, type Comparison, type NewLine, reasonOf } from "./api.js";
import { ListPanel } from "./listpanel.js";
import type { Log } from "./log.js";
import { readable } from "./problemlist.js";
import { duration } from "./rows.js";
import { count } from "./state.js";
import type { View } from "./view.js";

/** The lines that are listed at most: the server makes each page anew. */
const MOST = 10000;
const NONE: readonly NewLine[] = [];

class NewLines extends ListPanel<NewLine> {
  #found: Comparison | null = null;
  /** Why there is nothing, where there is no answer. */
  #reason = "";
  /** Which question was asked last, and whether it was answered. */
  #asked = 0;
  #isAsking = false;

  constructor(
    private readonly api: Api,
    private readonly log: Log,
    view: View,
    private readonly address: Address,
    /** The title of the group in which a line is. */
    private readonly groupOf: (line: number) => string,
    redraw: () => void,
  ) {
    super("New lines", view, redraw);
  }

  get entries(): readonly NewLine[] {
    return this.#found?.lines ?? NONE;
  }

  override open(): void {
    super.open();
    if (!this.#isAsking && (!this.#found || this.#isBehind)) void this.#ask(this.#found?.with.generation);
  }

  /** Whether the log has grown since it was compared. */
  get #isBehind(): boolean {
    return this.#found !== null && this.log.store.size > this.#found.indexed;
  }

  /** Ask for the new lines; `other`: the log to compare with, in place of the last good one. */
  async #ask(other?: string): Promise<void> {
    const asked = ++this.#asked;
    this.#isAsking = true;
    this.show();
    try {
      const found = (await (await this.api.get("compare", { limit: String(MOST), ...(other && { with: other }) })).json()) as Comparison;
      if (asked !== this.#asked) return;
      this.#found = { ...found, lines: found.lines.map((line) => ({ ...line, text: readable(line.text) })) };
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#found = null;
      this.#reason = reasonOf(error);
    }
    this.#isAsking = false;
    this.show();
  }

  bar(): TemplateResult {
    const others = (this.log.status?.attempts ?? []).filter(({ generation }) => generation !== this.log.generation);
    const known = this.#found?.with.generation;
    return html`<strong>New lines</strong>${others.length ? html`<label><span class="word">compared with </span><select aria-label="Compared with" @change=${(event: Event) => void this.#ask((event.target as HTMLSelectElement).value)}
      >${known ? nothing : html`<option value="" disabled selected>another log</option>`}${others.map((one) => html`<option value=${one.generation} ?selected=${one.generation === known}>${inWords(one)}</option>`)}</select></label>` : nothing}
      <span class="note" role="status">${this.#note}</span>${this.#isBehind && !this.#isAsking ? html`<button @click=${() => void this.#ask(known)}>Compare again</button>` : nothing}`;
  }

  get #note(): string {
    const found = this.#found;
    if (this.#isAsking) return "Comparing …";
    if (!found) return "";
    const shown = found.lines.length;
    const part = found.with.indexed < found.with.size ? `, compared with ${Math.floor((found.with.indexed / found.with.size) * 100)} % of it` : "";
    return `${shown < found.new ? `the first ${count(shown)} of ` : ""}${count(found.new)} ${found.new === 1 ? "line" : "lines"}${part}`;
  }

  empty(): string {
    return this.#found ? "Nothing is new." : this.#isAsking ? "" : this.#reason;
  }

  cells({ line, text, count: times }: NewLine): TemplateResult {
    return html`<span class="quiet" title=${times === 1 ? nothing : `${count(times)} such lines`}>${times === 1 ? "" : `× ${count(times)}`}</span><span class="number"
      ><span class="for-ears">line </span>${count(line)}</span><span class="message">${text}</span><span class="where">${this.groupOf(line)}</span>`;
  }

  visit({ line }: NewLine): void {
    this.address.note({ from: line, to: line });
    this.view.toLine(line);
  }
}

let panel: NewLines | null = null;

/** Open the panel, or close it. */
export function compare(...page: ConstructorParameters<typeof NewLines>): void {
  (panel ??= new NewLines(...page)).toggle();
}

/** An attempt as a choice: "exit 0, 2h 5m ago". */
function inWords({ state, exit_code: code, began }: Attempt): string {
  return `${state === "complete" ? (code === null ? "ended" : `exit ${code}`) : state}, ${duration(Math.max(0, (Date.now() - Date.parse(began)) / 1000))} ago`;
}
