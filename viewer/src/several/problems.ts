/** Problems of all logs: asked for while logs grow, counted, listed in the order of merged lines, and walked through. */

import { html, nothing, type TemplateResult } from "lit-html";
import { type Level, type Problem, type Problems as Told, reasonOf } from "../api.js";
import { counted, levelButtons, sign, TONES } from "../levelbuttons.js";
import { type Ground, ListPanel } from "../listpanel.js";
import { inWords, LEVELS, placeOf, ProblemList } from "../problemlist.js";
import type { Settings } from "../settings.js";
import { count } from "../state.js";
import { MOST } from "./address.js";
import { compare, nearest, type Place, type Way } from "./heads.js";
import type { Source } from "./source.js";

/** Milliseconds from an answer to the next question; and after a failure. */
const [PAUSE, AGAIN] = [2000, 10_000];
/** Bytes of a log that are scanned though nobody has asked for problems. */
const UNASKED = 100_000_000;

/** A problem, and where it is among the lines of all logs. */
export interface Entry extends Place, Pick<Problem, "line" | "last"> {
  readonly source: Source;
  readonly problem: Problem;
}

/** What problems are walked through in. */
export interface Around {
  readonly settings: Settings;
  set(change: Partial<Settings>): void;
  title(source: Source): string;
  /** Where to begin; null: at the end, or at the beginning. */
  start(way: Way): Place | null;
  /** Whether a line can be seen. */
  sees(place: Place): boolean;
  go(entry: Entry): void;
  tell(text: string): void;
  readonly ground: Ground;
  readonly redraw: () => void;
}

export class Problems {
  readonly #lists: readonly ProblemList[];
  /** Before which times logs are not asked again; milliseconds since the epoch. */
  readonly #next: number[];
  #asking: Promise<void> | null = null;
  #current: Entry | null = null;
  #shown: { readonly key: string; readonly entries: readonly Entry[] } = { key: "", entries: [] };
  #changes = 0;
  readonly #panel: Panel;

  constructor(private readonly sources: readonly Source[], private readonly around: Around) {
    this.#lists = sources.map(() => new ProblemList());
    this.#next = sources.map(() => 0);
    this.#panel = new Panel(this, around);
  }

  get levels(): readonly string[] {
    return this.around.settings.levels.split(" ");
  }

  /** Show the problems of a level, or do not. */
  toggle(level: Level): void {
    const { levels } = this;
    this.around.set({ levels: LEVELS.filter((one) => levels.includes(one) !== (one === level)).join(" ") });
  }

  /** How many problems of each level all logs have. */
  get counts(): Record<Level, number> {
    const sum = (level: Level) => this.#lists.reduce((all, { counts }) => all + counts[level], 0);
    return { error: sum("error"), warning: sum("warning"), notice: sum("notice") };
  }

  /** Those of the levels that are listed, in the order of merged lines. */
  get entries(): readonly Entry[] {
    const key = [this.#changes, ...this.levels].join();
    if (this.#shown.key !== key) {
      const entries = this.#lists.flatMap((list, log) => list.of(this.levels).map((problem): Entry => (
        { source: this.sources[log]!, problem, log, at: problem.offset, time: Date.parse(problem.time), line: problem.line, last: problem.last })));
      this.#shown = { key, entries: entries.sort(compare) };
    }
    return this.#shown.entries;
  }

  /** Whether a log has bytes that are to be looked through. */
  #isBehind({ track }: Source, log: number): boolean {
    const left = track.size - this.#lists[log]!.indexed;
    return track.exists && !track.closed && left > 0 && (left <= UNASKED || this.#panel.isOpen);
  }

  /** Logs of which a part is looked through only if somebody asks for it. */
  get #resting(): boolean {
    return !this.#panel.isOpen && this.sources.some(({ track }, log) => track.size - this.#lists[log]!.indexed > UNASKED);
  }

  /** How much of all logs has been looked through, from 0 to 1. */
  get progress(): number {
    const all = this.sources.reduce((sum, { track }) => sum + track.size, 0);
    return Math.min(1, this.#lists.reduce((sum, { indexed }) => sum + indexed, 0) / Math.max(1, all));
  }

  /** Ask what there is, as logs grow: one log at a time. */
  ask(): void {
    const now = Date.now();
    const log = this.sources.findIndex((source, at) => now >= this.#next[at]! && this.#isBehind(source, at));
    if (log >= 0) this.#ask(log);
    this.#panel.show();
  }

  #ask(log: number): Promise<void> {
    return (this.#asking ??= this.#read(log).finally(() => {
      this.#asking = null;
      this.around.redraw();
    }));
  }

  async #read(log: number): Promise<void> {
    const list = this.#lists[log]!;
    const { api, track: { size } } = this.sources[log]!;
    try {
      const from = list.frontier;
      for (let skip: number | null = 0; skip !== null; ) {
        const answer = (await (await api.get("problems", { from: String(from), skip: String(skip) })).json()) as Told;
        list.learn(answer, from, skip === 0);
        skip = answer.problems.length ? answer.next : null;
      }
      this.#changes++;
      // Of a log that is not yet looked through as far as it was then, the rest is asked for at once.
      this.#next[log] = Date.now() + (list.indexed < size ? 0 : PAUSE);
    } catch (error) {
      this.#next[log] = Date.now() + AGAIN;
      if (this.#panel.isOpen) this.around.tell(reasonOf(error));
    }
  }

  /** Go to the next problem, or the one before. */
  async walk(way: Way): Promise<void> {
    const current = this.#current && this.around.sees(this.#current) ? this.#current : null;
    const from = current ?? this.around.start(way);
    await this.#asking;
    for (const [log, source] of this.sources.entries()) if (Date.now() >= this.#next[log]! && this.#isBehind(source, log)) await this.#ask(log);
    const entry = nearest(this.entries.filter((one) => !from || way * compare(one, from) > 0), way);
    if (entry) this.go(entry);
    else if (this.#resting) this.around.tell("The list of problems (p) looks through large logs");
    else this.around.tell(`No ${this.levels.join() === "error" ? "error" : "problem"} ${way > 0 ? "below" : "above"}`);
  }

  go(entry: Entry): void {
    this.#current = entry;
    this.around.go(entry);
    this.#panel.choose(entry);
  }

  togglePanel(): void {
    this.#panel.toggle();
  }

  /** Close the list. Returns whether it was open. */
  close(): boolean {
    const { isOpen } = this.#panel;
    if (isOpen) this.#panel.close();
    return isOpen;
  }

  /** What the head of a log says: how many there are, and a way to the list of them. */
  summary(source: Source): TemplateResult | typeof nothing {
    const { counts, total } = this.#lists[this.sources.indexOf(source)]!;
    if (!total) return nothing;
    return html`<button class="problems" title=${`${inWords(counts)}: list them`} aria-expanded=${this.#panel.isOpen} @click=${() => this.togglePanel()}>${counted(counts)}</button>`;
  }
}

class Panel extends ListPanel<Entry> {
  constructor(private readonly problems: Problems, private readonly around: Around) {
    super("Problems", around.ground, around.redraw);
  }

  get entries(): readonly Entry[] {
    return this.problems.entries;
  }

  override key({ line, log }: Entry): number {
    return line * MOST.merged + log;
  }

  /** An entry was gone to. */
  choose(entry: Entry): void {
    this.chosen = this.key(entry);
    this.reveal();
  }

  bar(): TemplateResult {
    const { counts, levels, progress } = this.problems;
    const [kept, shown] = [LEVELS.reduce((sum, level) => sum + (levels.includes(level) ? counts[level] : 0), 0), this.entries.length];
    const note = progress < 1 ? `${Math.floor(progress * 100)} % of the logs looked through` : kept > shown ? `the first ${count(shown)} of ${count(kept)}` : "";
    return html`${levelButtons(counts, levels, (level) => this.problems.toggle(level))}<span class="note">${note}</span>`;
  }

  empty(): string {
    return this.problems.progress < 1 ? "None so far." : "None of these levels.";
  }

  cells({ source, line, problem }: Entry): TemplateResult {
    const { level, message } = problem;
    return html`<span class=${TONES[level]} title=${level}>${sign(level)}</span><span class="number"><span class="for-ears">${level}, line </span>${count(line)}</span><span class="message">${message}</span><span
      class="where">${[this.around.title(source), placeOf(problem)].filter(Boolean).join(" · ")}</span>`;
  }

  visit(entry: Entry): void {
    this.problems.go(entry);
  }
}
