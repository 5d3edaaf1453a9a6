/** Only the lines that match: asked of the server for where the view is, and as they come. */

import { type Api, type Found, reasonOf, Refused, Replaced } from "./api.js";
import { Charset } from "./charset.js";
import { MUCH } from "./clipboard.js";
import { Filtered, type Passed } from "./filtered.js";
import type { Log } from "./log.js";
import { asked, type Query } from "./search.js";
import { PLAIN } from "./sgr.js";
import type { Left, Numbered, Source, Whole } from "./source.js";
import { type Line, split } from "./store.js";

/** Hits of an answer; lines that are asked for on each side of those that are visible. */
const [PAGE, AHEAD] = [300, 200];
/** Lines of the log over which no bridge is built to what is known. */
const NEAR = 1000;
/** Milliseconds until lines elsewhere are asked for: the view may go on. */
const PAUSE = 60;
/** Milliseconds after which lines are shown though more may belong between them. */
const SOON = 1500;
/** Bytes that lines which come may be behind the log, if its end is followed. */
const LAG = 4 * 1024 * 1024;
/** Milliseconds until it is asked again after a failure: at first, and at most. */
const [FIRST_DELAY, LAST_DELAY] = [1000, 15000];

const encoder = new TextEncoder();

type Way = "up" | "down";

export class Filter implements Source, Left {
  readonly left = this;
  error = "";
  #list: Filtered;
  /** The line around which it began; null: the end of the log. */
  #begin: number | null;
  /** Where the next answer begins; undefined: at the lines that are known. */
  #from: { up?: number | undefined; down?: number | undefined } = {};
  /** Where the first answers began. */
  #seed: { up: number; down: number } | null = null;
  /** The lines that are looked at: the first and the last one. */
  #around: readonly number[] = [];
  #aborter = new AbortController();
  readonly #stopped = new AbortController();
  #isBusy = false;
  /** Whether lines are told as they come; and whether there is nothing to come. */
  #isLive = false;
  #isOver = false;
  #isFetching = false;
  #until = 0;
  #delay = 0;
  readonly #began = Date.now();

  /** `begin`: a line that is looked at; null: the end. `follows`: whether the view does; `leave`: called to show a line that does not match. */
  constructor(
    private readonly api: Api,
    private readonly log: Log,
    private readonly whole: Whole,
    readonly query: Query,
    begin: number | null,
    private readonly follows: () => boolean,
    private readonly leave: () => void,
    private readonly redraw: () => void,
  ) {
    this.#begin = begin;
    this.#list = new Filtered(begin ?? log.store.last + 1);
    this.#around = begin === null ? [] : [begin];
    document.addEventListener("visibilitychange", () => document.hidden && this.#aborter.abort(), { signal: this.#stopped.signal });
  }

  /** Whether there is enough to be shown. */
  get isReady(): boolean {
    const list = this.#list;
    if (!this.#seed) return false;
    return (!this.#way("up") && !this.#way("down")) || (list.size > 0 && Date.now() - this.#began > SOON);
  }

  stop(): void {
    this.#stopped.abort();
    this.#aborter.abort();
    this.#until = Infinity;
  }

  isContext(line: number): boolean {
    return this.#list.get(line)?.isContext ?? false;
  }

  /** Whether lines are left out in front of this one. */
  isApart(line: number): boolean {
    return line > 1 && this.#list.knows(line - 1) && !this.#list.get(line - 1);
  }

  // What is shown

  get last(): number {
    const list = this.#list;
    if (list.high < Infinity) return this.log.store.last;
    return list.at(-1)?.number ?? list.low - 1;
  }

  get(line: number): Line | undefined {
    return this.#list.get(line)?.line ?? undefined;
  }

  time(line: number): number | undefined {
    return this.#list.get(line)?.time;
  }

  next(line: number): number {
    return this.#list.next(line);
  }

  previous(line: number): number {
    return this.#list.previous(line);
  }

  between(from: number, to: number): number {
    const list = this.#list;
    return list.high < Infinity ? 0 : Math.max(0, list.place(to + 1) - list.place(from + 1));
  }

  at(line: number): ReturnType<Source["at"]> {
    const group = this.whole.at(line);
    return group && { ...group, end: line }; // it cannot be folded here
  }

  isFolded(): boolean {
    return false;
  }

  level(line: number): number {
    return this.whole.level(line);
  }

  open(line: number): void {
    if (!this.#list.get(line) && line !== this.#begin) this.leave();
  }

  /** A line that matches is gone to. */
  expect(line: number): void {
    if (!this.#list.get(line)) this.#restart(line);
  }

  need(line: number): void {
    const list = this.#list;
    const passed = list.get(line);
    if (passed) void this.#fetch(passed);
    else if (line < list.low - NEAR || line > list.high + NEAR) this.#restart(this.follows() ? null : line);
  }

  trim(around: readonly number[]): void {
    const list = this.#list;
    const { low, high } = list;
    this.#around = around.length ? [around[0]!, around.at(-1)!] : [];
    list.trim(around);
    if (list.low !== low) this.#from.up = undefined;
    if (list.high === high) return;
    this.#from.down = undefined;
    this.#isOver = false;
    if (this.#isLive) this.#aborter.abort();
  }

  // What is copied

  known(from: number, to: number): Numbered[] | null {
    const list = this.#list;
    const parts: Numbered[] = [];
    if (from < list.low || to > list.high) return null;
    for (let place = list.place(from), one = list.at(place); one && one.number <= to; one = list.at(++place)) {
      if (!one.line || one.line.length > one.line.bytes.length) return null;
      parts.push({ number: one.number, at: one.at, bytes: one.line.bytes, charset: this.log.charset });
    }
    return parts;
  }

  async ask(from: number, to: number): Promise<Numbered[] | null> {
    const { context = 0 } = this.query;
    const charset = new Charset();
    const parts: Numbered[] = [];
    let size = 0;
    for (let next: number | null = await this.log.offsetOf(Math.max(1, from - context)); next !== null; ) {
      const query = { ...asked(this.query, true), dir: "forward", from: String(next), limit: "10000", numbers: "1" };
      let page: number | null | undefined;
      for await (const { error, done, next: following, line, start, text, cut } of this.api.search(query, new AbortController().signal)) {
        if (error) throw new Refused(0, error, null);
        if (done) page = following;
        if (!line || line < from) continue;
        if (line > to) return parts;
        const whole = cut ? split(await this.api.lines({ at: String(start), count: "1" }))[0] : undefined;
        const bytes = whole ? await this.log.bytes(whole.at, whole.at + whole.length) : encoder.encode(text);
        parts.push({ number: line, at: start!, bytes, charset: whole ? this.log.charset : charset });
        size += bytes.length;
        if (size > MUCH) return null;
      }
      if (page === undefined) throw new TypeError();
      next = page;
    }
    return parts;
  }

  // Asking

  #restart(begin: number | null): void {
    if (this.#until === Infinity) return;
    this.#aborter.abort();
    this.#begin = begin;
    this.#list = new Filtered(begin ?? this.log.store.last + 1);
    this.#around = begin === null ? [] : [begin];
    this.#seed = null;
    this.#from = {};
    this.#isBusy = this.#isLive = this.#isOver = false;
    this.#until = Math.max(this.#until, Date.now() + PAUSE);
    setTimeout(this.redraw, PAUSE);
  }

  /** Whether lines are wanted there. */
  #way(way: Way): boolean {
    const list = this.#list;
    const [first, last] = [this.#around[0], this.#around.at(-1)];
    if (way === "up") return list.low > 1 && (first === undefined || list.place(first) < AHEAD);
    return list.high < Infinity && (last === undefined || list.size - list.place(last) < AHEAD);
  }

  /** The page is shown anew: go on with what is wanted. */
  look(): void {
    const { log } = this;
    if (this.#aborter.signal.aborted && !document.hidden && this.#until !== Infinity) this.#restore();
    if (this.#isBusy || document.hidden || !log.reachable || !log.store.numbered || !log.status || Date.now() < this.#until) return;
    const { signal } = this.#aborter;
    const work = !this.#seed ? this.#begins(signal) : this.#way("down") ? this.#page("down", signal) : this.#way("up") ? this.#page("up", signal) : null;
    if (work) {
      this.#isBusy = true;
      void this.#run(work, signal, () => (this.#isBusy = false));
    } else if (this.#list.high === Infinity && !this.#isOver && !this.#isLive) {
      this.#isLive = true;
      void this.#run(this.#follow(signal), signal, () => (this.#isLive = false));
    }
  }

  /** Begin anew with asking, where it was broken off. */
  #restore(): void {
    this.#aborter = new AbortController();
    this.#from = {};
    this.#isBusy = this.#isLive = false;
  }

  async #run(work: Promise<void>, signal: AbortSignal, done: () => void): Promise<void> {
    try {
      await work;
      this.#delay = 0;
      if (!signal.aborted) this.error = "";
    } catch (error) {
      if (signal.aborted) return;
      this.#from = {};
      this.error = reasonOf(error);
      const isFinal = error instanceof Replaced || (error instanceof Refused && [0, 400].includes(error.status));
      this.#delay = Math.max(Math.min(LAST_DELAY, 2 * this.#delay || FIRST_DELAY), (error instanceof Refused && error.retry) || 0);
      this.#until = isFinal ? Infinity : Date.now() + this.#delay;
      if (!isFinal) setTimeout(this.redraw, this.#delay);
    } finally {
      if (signal === this.#aborter.signal) done();
      this.redraw();
    }
  }

  /** The line that is the first to have its end to come, and where it begins. */
  #rest(): { line: number; at: number } {
    const { store } = this.log;
    const newest = store.get(store.last);
    return newest && !newest.finished && !this.log.ended ? { line: store.last, at: newest.at } : { line: store.last + 1, at: store.size };
  }

  /** Find out where in the log to begin. Lines of context come from both sides: so much is asked for twice. */
  async #begins(signal: AbortSignal): Promise<void> {
    const { context = 0 } = this.query;
    const rest = this.#rest();
    const line = this.#begin ?? rest.line;
    const [down, up] = await Promise.all([this.log.offsetOf(Math.max(1, line - context)), this.#begin === null ? rest.at : this.log.offsetOf(line + context)]);
    if (signal.aborted) return;
    if (this.#begin === null) {
      this.#list = new Filtered(line);
      this.#list.high = Infinity;
    }
    this.#seed = { down, up };
  }

  /** Where to go on: the lines at the edge may be the context of more. */
  #edge(way: Way): number {
    const { context = 0 } = this.query;
    const list = this.#list;
    const known = list.size > context ? list.at(way === "up" ? context : -1 - context) : undefined;
    return this.#from[way] ?? (known ? known.at + Number(way === "up") : this.#seed![way]);
  }

  async #page(way: Way, signal: AbortSignal): Promise<void> {
    const list = this.#list;
    const rest = this.#rest();
    const { context = 0 } = this.query;
    const seam = await this.log.offsetOf(Math.max(1, rest.line - context));
    const query = { ...asked(this.query, true), dir: way === "up" ? "back" : "forward", from: String(this.#edge(way)), limit: String(PAGE), numbers: "1" };
    let next: number | null | undefined;
    for await (const event of this.api.search(query, signal)) {
      if (signal.aborted) return;
      if (event.error) throw new Refused(0, event.error, null);
      if (event.done) next = event.next;
      else if (event.line && (event.start! < rest.at || this.log.ended)) {
        this.#take(event);
        if (way === "up") list.low = Math.min(list.low, event.line);
        else list.high = Math.max(list.high, event.line);
      }
    }
    if (next === undefined) throw new TypeError();
    if (next !== null) this.#from[way] = next;
    else if (way === "up") list.low = 1;
    else {
      list.high = Infinity;
      this.#from.down = seam;
      this.#isOver = this.log.ended && rest.at === this.log.status!.size;
    }
  }

  /** Take lines as they come. */
  async #follow(signal: AbortSignal): Promise<void> {
    const query = { ...asked(this.query, true), dir: "forward", follow: "1", from: String(this.#edge("down")) };
    this.#from.down = undefined;
    let isDone = false;
    for await (const event of this.api.search(query, signal)) {
      if (signal.aborted) return;
      if (event.error) throw new Refused(0, event.error, null);
      if (event.done) isDone = true;
      else if (event.line) {
        this.#take(event);
        if (this.follows() && this.log.store.size - event.start! > LAG) return this.#restart(null);
        this.redraw();
      }
    }
    if (!isDone) throw new TypeError();
    this.#isOver = true;
  }

  #take({ line, start, text, time, cut, context }: Found): void {
    const { label } = this.log.charset;
    // Only of these texts it is known which bytes they were.
    const isExact = !cut && !label.startsWith("utf-16") && (/^[\0-\x7f]*$/.test(text!) || (label === "utf-8" && !text!.includes("\ufffd")));
    const known = isExact ? split({ first: null, offset: start!, bytes: encoder.encode(`${text!}\n`), size: 0, style: PLAIN, time: null })[0]! : null;
    this.#list.add({ number: line!, at: start!, line: known, time: Date.parse(time!), isContext: context ?? false });
  }

  /** Ask for the bytes of a line of which the text does not tell them. */
  async #fetch(passed: Passed): Promise<void> {
    if (this.#isFetching || passed.line || !this.log.reachable || Date.now() < this.#until) return;
    this.#isFetching = true;
    const list = this.#list;
    await this.#run(this.api.lines({ at: String(passed.at), count: "1" }).then((piece) => {
      const line = split(piece)[0];
      if (line) list.learn(passed, line);
    }), this.#aborter.signal, () => {});
    this.#isFetching = false;
  }
}
