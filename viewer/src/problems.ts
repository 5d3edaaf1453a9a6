/** Problems: the server is asked for them while the log grows, the header counts them, and keys walk from one to the next. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { Address } from "./address.js";
import { type Api, type Level, type Problem, type Problems as Told, reasonOf } from "./api.js";
import { counted } from "./levelbuttons.js";
import type { Log } from "./log.js";
import type { Notices } from "./notices.js";
import { inWords, LEVELS, ProblemList } from "./problemlist.js";
import type { Settings } from "./settings.js";
import type { View } from "./view.js";

/** Milliseconds from an answer to the next question, if that was about all there was. */
const PAUSE = 2000;
/** Bytes that are scanned though nobody has asked for problems. */
const UNASKED = 100_000_000;

/** What lists them. */
export interface Listing {
  readonly isOpen: boolean;
  open(): void;
  close(): void;
  show(): void;
  /** Bring the problem that was gone to into view. */
  reveal(): void;
}

export class Problems {
  readonly list = new ProblemList();
  panel: Listing | null = null;
  /** The first line of the problem that was gone to. */
  current: number | null = null;
  #asking: Promise<void> | null = null;
  #next = 0;

  constructor(
    private readonly api: Api,
    private readonly log: Log,
    readonly view: View,
    private readonly address: Address,
    private readonly notices: Notices,
    private readonly settings: Settings,
    /** Keep a choice of the user. */
    private readonly set: (change: Partial<Settings>) => void,
    /** Load what lists problems. */
    private readonly load: (act: (panel: Listing) => void) => void,
    readonly redraw: () => void,
    /** The title of the group in which a line is. */
    readonly groupOf: (line: number) => string,
  ) {}

  /** Whether the log is not looked through because that takes long, and nobody has asked for it. */
  get rests(): boolean {
    return !this.panel?.isOpen && this.log.store.size - this.list.indexed > UNASKED;
  }

  /** How much of the log has been looked through, from 0 to 1. */
  get progress(): number {
    return Math.min(1, this.list.indexed / Math.max(1, this.log.store.size));
  }

  get levels(): readonly string[] {
    return this.settings.levels.split(" ");
  }

  /** Show the problems of a level, or do not. */
  toggle(level: Level): void {
    const { levels } = this;
    this.set({ levels: LEVELS.filter((one) => levels.includes(one) !== (one === level)).join(" ") });
  }

  /** Ask what there is, as the log grows. */
  ask(): void {
    const { size, numbered } = this.log.store;
    if (!numbered || !this.log.generation || !this.log.reachable || this.#asking || this.rests) return;
    if (size > this.list.indexed && Date.now() >= this.#next) void this.#ask().catch(() => {});
  }

  #ask(): Promise<void> {
    return (this.#asking ??= this.#read().finally(() => (this.#asking = null)));
  }

  async #read(): Promise<void> {
    const began = Date.now();
    const { size } = this.log.store;
    try {
      const from = this.list.frontier;
      for (let skip: number | null = 0; skip !== null; ) {
        const answer = (await (await this.api.get("problems", { from: String(from), skip: String(skip) })).json()) as Told;
        this.list.learn(answer, from, skip === 0);
        skip = answer.problems.length ? answer.next : null;
      }
    } finally {
      const now = Date.now();
      // Where somebody waits for it, the server works on; else it has time for others.
      const isBehind = this.list.indexed < size && !this.panel?.isOpen;
      this.#next = now + (this.list.indexed < size ? 0 : PAUSE) + (isBehind ? now - began : 0);
      setTimeout(this.redraw, this.#next - now);
      this.redraw();
    }
  }

  /** What the header says: how many there are, and a way to the list of them. */
  summary(): TemplateResult | typeof nothing {
    const { counts, total, indexed } = this.list;
    const isRest = this.rests;
    if (!total && !isRest) return nothing;
    const words = total ? inWords(counts) : "Problems";
    const title = `${words}${isRest && indexed ? ` in the first ${Math.floor(this.progress * 100)} %` : ""}: list them`;
    return html`<button class="problems" title=${title} aria-expanded=${this.panel?.isOpen ?? false} @click=${() => this.togglePanel()}
      >${total ? counted(counts) : words}</button>`;
  }

  togglePanel(): void {
    if (this.panel?.isOpen) return this.panel.close();
    if (this.panel) return this.panel.open();
    this.load((panel) => (this.panel ??= panel).open());
  }

  /** Go to a problem. */
  go({ line, last }: Pick<Problem, "line" | "last">): void {
    this.current = line;
    this.address.note({ from: line, to: last });
    this.view.toLine(line);
    this.panel?.reveal();
  }

  /** Go to the next problem, or the one before. Where the log has not been looked through, errors are searched for. */
  async walk(down: boolean): Promise<void> {
    const lines = this.view.coming;
    const last = lines.find((line) => line === this.current);
    const line = (down ? (last ? last + 1 : lines[0]) : (last ?? (lines.at(-1) ?? 0) + 1)) ?? 1;
    const { list, levels } = this;
    try {
      const from = await this.log.offsetOf(line);
      if (this.log.store.numbered && this.log.store.size > list.indexed && !this.rests) await this.#ask();
      const known = () => list.near(line, down, levels);
      const found = down ? (known() ?? (await this.#search(true, Math.max(from, list.indexed)))) : ((from > list.indexed ? await this.#search(false, from) : null) ?? known());
      if (found) this.go(found);
      else this.notices.tell(`No ${levels.join() === "error" ? "error" : "problem"} ${down ? "below" : "above"}`);
    } catch (error) {
      this.notices.tell(reasonOf(error));
    }
  }

  /** The nearest error in the part of the log that has not been looked through. */
  async #search(down: boolean, from: number): Promise<Pick<Problem, "line" | "last"> | null> {
    const { indexed } = this.list;
    if (!this.levels.includes("error") || (down && from >= this.log.store.size)) return null;
    const asked = { errors: "1", dir: down ? "forward" : "back", from: String(from), limit: "1", numbers: "1" };
    for await (const { line, offset } of this.api.search(asked, new AbortController().signal)) {
      if (line) return offset! >= indexed ? { line, last: line } : null;
    }
    return null;
  }
}
