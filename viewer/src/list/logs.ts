/** The logs of the list, the newest first, as events tell of them. Pure. */

import type { Status } from "../api.js";
import { first } from "../sorted.js";

/** What the list tells of a log. */
export interface Listed extends Omit<Status, "elapsed" | "gaps" | "attempts"> {
  /** How many follow it. */
  readonly readers: number;
  /** How many logs of its name are kept. */
  readonly attempts: number;
}

/** What a log is to who looks for it: its state, where one that ended with an exit code other than 0 has failed. */
export const KINDS = ["live", "interrupted", "failed", "aborted", "complete"] as const;
export type Kind = (typeof KINDS)[number];

/** One log. It is the same object for as long as the log is listed. */
export class Log {
  /** What a filter looks at, in lower case. */
  text = "";
  kind: Kind = "live";
  began = 0;
  ended: number | null = null;
  changed = 0;
  /** `key:value` of each label. */
  labels: readonly string[] = [];

  constructor(public status: Listed) {
    this.update(status);
  }

  /** Take in a newer status. Returns whether what filters look at has changed. */
  update(status: Listed): boolean {
    const before = this.status;
    this.status = status;
    this.began = Date.parse(status.began) || 0;
    this.ended = status.ended ? Date.parse(status.ended) : null;
    this.changed = Date.parse(status.changed) || this.began;
    const kind = status.state === "complete" && status.exit_code ? "failed" : status.state;
    // A log that grows is told of every second, and has the same names.
    if (before !== status && before.title === status.title && kind === this.kind && JSON.stringify(before.labels) === JSON.stringify(status.labels)) return false;
    const labels = Object.entries(status.labels ?? {}).map(([name, value]) => `${name}:${value}`);
    const text = [status.name, status.title ?? "", ...labels].join("\n").toLowerCase();
    if (text === this.text && kind === this.kind) return false;
    this.text = text;
    this.kind = kind;
    this.labels = labels;
    return true;
  }

  get generation(): string {
    return this.status.generation;
  }

  /** Seconds from its begin to its end, or to `now`, in milliseconds since the epoch. */
  took(now: number): number {
    return Math.max(0, ((this.ended ?? now) - this.began) / 1000);
  }
}

export class Logs {
  #known = new Map<string, Log>();
  #untold: Set<string> | null = null;
  /** All of them, the newest first. */
  readonly all: Log[] = [];
  /** Counts the changes of which logs there are, and of what filters look at. */
  changes = 0;
  /** Whether all that the server had at first has been told. */
  listed = false;
  /** Behind which log there are older ones, which have not been told; null: there are none. */
  next: string | null = null;

  get(generation: string): Log | undefined {
    return this.#known.get(generation);
  }

  /** A stream begins: what it does not tell of before `listed` is not there any more. */
  begin(): void {
    this.#untold = new Set(this.#known.keys());
  }

  /** Take in an event. */
  apply(kind: string, data: unknown): void {
    if (kind === "reset") return this.begin();
    if (kind === "listed") return this.#end((data as { next: string | null }).next);
    const status = data as Listed;
    if (typeof status?.generation !== "string") return; // of a kind that is not known here
    if (kind === "removed") return this.#remove(status.generation);
    this.#untold?.delete(status.generation);
    const known = this.#known.get(status.generation);
    if (!known) this.#add(new Log(status));
    else if (known.update(status)) this.changes++;
  }

  /** Take in a page of older logs, and where the next one begins. */
  append(page: readonly Listed[], next: string | null): void {
    for (const status of page) this.apply("log", status);
    this.next = next;
  }

  #add(log: Log): void {
    this.#known.set(log.generation, log);
    this.all.splice(this.#place(log.generation), 0, log);
    this.changes++;
  }

  #remove(generation: string): void {
    if (!this.#known.delete(generation)) return;
    this.#untold?.delete(generation);
    this.all.splice(this.#place(generation), 1);
    this.changes++;
  }

  #end(next: string | null): void {
    this.listed = true;
    this.next = next;
    const untold = this.#untold;
    this.#untold = null;
    this.changes++;
    if (!untold?.size) return;
    for (const generation of untold) this.#known.delete(generation);
    const kept = this.all.filter((log) => !untold.has(log.generation));
    this.all.length = 0;
    for (const log of kept) this.all.push(log);
  }

  /** Where a log of this generation is, or would be: generations begin with the time, in digits. */
  #place(generation: string): number {
    return first(this.all, (log) => log.generation <= generation);
  }
}
