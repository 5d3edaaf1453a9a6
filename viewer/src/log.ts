/**
 * The log as it grows: opened at its end, followed, taken up again after each break at the very next byte, and looked after when
 * it has ended: as long as the page is open, it says what the case is.
 *
 * What is read is one log: `Api` gives nobody an answer of another one. Whatever an answer tells of the log, to whoever has
 * asked, is told to the user here. A hidden page holds no connection: browsers allow few, and other tabs need them.
 */

import { type Api, FOREVER, Refused, Replaced, type Status } from "./api.js";
import { Charset } from "./charset.js";
import type { Slice } from "./content.js";
import { Loader } from "./loader.js";
import { Naming } from "./naming.js";
import { PLAIN, styleAfter } from "./sgr.js";
import { type Line, Store } from "./store.js";

export type Connection =
  | { readonly kind: "opening" | "following" | "resting" | "ended" | "replaced" }
  /** There is no such log: not yet, or no more; or the server says what is wrong. */
  | { readonly kind: "waiting" | "gone" | "denied" | "refused"; readonly message: string }
  | { readonly kind: "reconnecting"; readonly until: number };

const TAIL = 200;
const PULSE = 5000;
/** Milliseconds from one look at a log that has ended to the next. */
const WATCH = 10000;
/** Seconds that a question after a log that has not begun is held. */
const WAIT = 60;
/** Bytes of an answer at most, in which there are whole lines, or a part of one. */
const LONGEST = 4 * 1024 * 1024;
/** Bytes in front of a part of a line that are read for the style in force there. */
const BEFORE = 64 * 1024;
const [FIRST_DELAY, LAST_DELAY] = [500, 15000];
/** Milliseconds from one question for the numbers of lines to the next. */
const COUNTING = 300;
/** Milliseconds without a byte that may be more than a pause of the network. */
const SILENCE = 4500;

export class Log {
  readonly store = new Store();
  status: Status | null = null;
  connection: Connection = { kind: "opening" };
  charset = new Charset();
  /** When the last byte came; milliseconds since the epoch. */
  changed: number | null = null;

  /** How often bytes came after a silence, as far as the page knows. */
  silences = 0;
  /** The server's clock less this one's, in milliseconds. */
  #skew = 0;

  /** What the server says, if it gives no answers to this page's token any more; a stream that has begun goes on. */
  locked: string | null = null;
  readonly naming: Naming;
  readonly #loader: Loader;
  #wake: () => void = () => {};
  #aborter = new AbortController();
  #buffered = false;
  /** The first line that was read; it may be forgotten before its number is known. */
  #opened: { line: number | null; offset: number } = { line: null, offset: 0 };
  /** Whether the numbers of lines are asked for. */
  #counting = false;

  /** `redraw` is called whenever there is something new to show, `renumbered` when all lines get other numbers. */
  constructor(
    private readonly api: Api,
    private readonly redraw: () => void,
    private readonly renumbered: (shift: number) => void,
  ) {
    this.naming = new Naming(api);
    this.#loader = new Loader(api, this.store, () => this.reachable, redraw, renumbered);
    api.onTrouble = (error) => this.#troubled(error);
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#aborter.abort() : this.#wake()));
    addEventListener("online", () => this.#wake());
    addEventListener("pagehide", () => this.#aborter.abort());
    setInterval(() => void this.#pulse(), PULSE);
  }

  /** Which log this is; empty before it is opened. */
  get generation(): string {
    return this.api.generation;
  }

  /** Whether the server answers, as far as is known, and has this log. */
  get reachable(): boolean {
    return /^(opening|following|ended)$/.test(this.connection.kind);
  }

  /** What is said in the place of a line that is not here. */
  get missing(): string {
    if (this.reachable) return "…";
    return /gone|replaced/.test(this.connection.kind) ? "… not read before the log was removed" : "… the server does not answer";
  }

  get ended(): boolean {
    return this.status?.state === "complete" || this.status?.state === "aborted";
  }

  /** When the log began; milliseconds since the epoch, by the server's clock, as are all times of a log. */
  get began(): number | undefined {
    return this.status ? Date.parse(this.status.began) : undefined;
  }

  /** Milliseconds since the epoch; of a log that has ended, at its end. */
  get now(): number {
    return this.status?.ended ? Date.parse(this.status.ended) : Date.now() + this.#skew;
  }

  /** Try again now. */
  retry(): void {
    this.#wake();
  }

  /** Go on with a token that was typed in. */
  unlock(token: string): void {
    this.naming.unlock(token, this.generation ? (this.status?.name ?? null) : null);
    this.retry();
    if (this.locked !== null) this.check();
  }

  /** Ask whether the log is still there; whatever is wrong is told. */
  check(): void {
    void this.api.status().then((status) => this.#learn(status), () => {});
  }

  /** Open the log and follow it, through whatever happens, until it is replaced. */
  async run(): Promise<void> {
    let delay = 0;
    for (;;) {
      const before = this.store.size;
      try {
        if (!this.generation) await this.#open();
        if (await this.#follow()) await this.#watch();
        delay = 0;
      } catch (error) {
        if (this.api.replaced) return this.#become({ kind: "replaced" });
        if (error instanceof Refused && (await this.#refused(error))) {
          delay = 0;
          continue;
        }
        const isFirst = /following|ended/.test(this.connection.kind);
        if (this.store.size > before) delay = 0;
        else delay = Math.min(LAST_DELAY, isFirst ? FIRST_DELAY : Math.max(FIRST_DELAY, delay * 2)) * (0.75 + Math.random() / 2);
      }
      if (document.hidden) {
        this.#become({ kind: "resting" });
        await this.#pause(Infinity);
        delay = 0;
      } else if (delay) {
        this.#become({ kind: "reconnecting", until: Date.now() + delay });
        await this.#pause(delay);
      }
    }
  }

  async #open(): Promise<void> {
    const known = this.api.status().catch(() => null);
    let piece = await this.api.lines({ tail: String(TAIL) });
    // Of a last line that is longer than an answer this is the end. Where it begins takes the server an index to tell.
    if (piece.bytes.length >= LONGEST && piece.first !== null) piece = await this.api.lines({ at: String(piece.offset), count: "1" });
    this.store.open(piece);
    this.#opened = { line: this.store.lineAt(piece.offset), offset: piece.offset };
    this.#aborter.abort(); // what is followed from another place
    this.api.open(piece.generation);
    this.changed = piece.time;
    this.redraw();
    const status = await known;
    if (status?.generation === this.generation) this.#learn(status);
    void this.#count();
  }

  /** Ask for the numbers of lines until the server knows them, as long as it has this log. */
  async #count(): Promise<void> {
    if (this.#counting) return;
    this.#counting = true;
    for (let pause = COUNTING; this.reachable && !this.store.numbered; ) {
      const { line, offset } = this.#opened;
      const piece = await this.api.lines({ at: String(offset), count: "1" }).catch(() => null);
      if (piece && piece.first !== null && line !== null && !this.store.numbered) {
        if (piece.offset === offset) {
          this.renumbered(this.store.renumber(line, piece.first));
          this.redraw();
          break;
        }
        // What was taken for a line is the end of one.
        await this.#open().catch(() => {});
      }
      if (this.store.numbered) break;
      pause = piece ? COUNTING : Math.min(LAST_DELAY, 2 * pause);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    this.#counting = false;
  }

  /** Read what comes. True: that was all of it, for ever. Throws if it breaks off. */
  async #follow(): Promise<boolean> {
    this.#aborter = new AbortController();
    if (document.hidden) return false;
    if (this.ended && this.status!.size === this.store.size) return true;
    const { signal } = this.#aborter;
    if (this.#buffered) await this.api.status({ wait: "25", size: String(this.store.size) }, signal);
    const last = this.#buffered ? "" : FOREVER;
    const headers = { Range: `bytes=${this.store.size}-${last}`, "If-Range": this.#etag };
    const response = await this.api.get("log", {}, { headers, signal });
    this.#become({ kind: "following" });
    if (response.status < 400) await this.#read(response, response.status === 200 ? this.store.size : 0);
    else await response.arrayBuffer();
    this.#learn(await this.api.status());
    return this.ended && this.status!.size === this.store.size;
  }

  /** Take in the body of an answer, but for its first `skip` bytes. */
  async #read(response: Response, skip: number): Promise<void> {
    const next = reader(response.body!);
    for (;;) {
      const data = await next();
      if (data === null) return;
      const fresh = data.subarray(Math.min(skip, data.length));
      skip -= data.length - fresh.length;
      if (!fresh.length) continue;
      const now = Date.now();
      if (this.changed === null || now - this.changed > SILENCE) this.silences++;
      this.changed = now;
      this.store.append(fresh);
      this.redraw();
    }
  }

  /** All of the log is here. Look now and then whether the server still has it; throws what is wrong with that. */
  async #watch(): Promise<never> {
    for (let known = /opening|following/.test(this.connection.kind); ; known = false) {
      if (!known) this.#learn(await this.api.status());
      this.#become({ kind: "ended" });
      await this.#pause(WATCH);
      while (document.hidden) await this.#pause(Infinity);
    }
  }

  /** A refusal: wait for what may change it. False: it may pass by itself. */
  async #refused(error: Refused): Promise<boolean> {
    const { status, message, retry } = error;
    const opened = this.generation !== "";
    if (status >= 500 || (opened && ![401, 404, 412].includes(status))) return false;
    if (await this.naming.reread(status, opened ? (this.status?.name ?? null) : null).catch(() => false)) return true;
    if (status === 404 && retry !== null && !opened) {
      this.#become({ kind: "waiting", message });
      await Promise.race([this.naming.wait(WAIT), this.#pause(Infinity)]).catch(() => this.#pause(retry));
      return true;
    }
    const kind = status === 401 ? "denied" : opened ? "gone" : "refused";
    this.#become({ kind, message });
    await this.#pause(kind === "gone" ? Math.max(retry ?? 0, LAST_DELAY) : Infinity);
    return true;
  }

  /** Somebody has asked for something of this log and was refused, or got no answer. */
  #troubled(error: unknown): void {
    if (!this.generation) return;
    if (error instanceof Refused && error.status === 401) this.locked = error.message;
    if (error instanceof Replaced) this.#aborter.abort(); // and asking again tells it
    if (this.connection.kind === "ended") this.#wake();
    this.redraw();
  }

  /** What is known of the log, every few seconds: who writes it may have left, or tells its title. */
  async #pulse(): Promise<void> {
    if (document.hidden || !this.generation || !/following|opening/.test(this.connection.kind)) return;
    const before = this.store.size;
    const status = await this.api.status().catch(() => null);
    this.#learn(status);
    if (status && status.size > before && this.store.size === before && !this.#buffered) {
      // It may be on its way; if it is not here at the next pulse, either, somebody between us keeps it back.
      this.#late = this.#late === before ? -1 : before;
      if (this.#late === -1) {
        this.#buffered = true;
        this.#aborter.abort();
      }
    }
  }

  #late = 0;

  #learn(status: Status | null): void {
    if (!status) return;
    if (this.status?.content_type !== status.content_type) void this.#decode(status.content_type);
    this.status = status;
    this.#skew = Date.parse(status.began) + status.elapsed * 1000 - Date.now();
    this.locked = null;
    this.changed = Math.max(this.changed ?? 0, Date.parse(status.changed) || 0) || null;
    this.redraw();
  }

  /** Take the log's bytes for text as its Content-Type declares it. */
  async #decode(contentType: string): Promise<void> {
    this.charset = new Charset(contentType);
    if (this.charset.label !== "utf-16le") return this.redraw();
    const start = await this.bytes(0, 2).catch(() => new Uint8Array());
    this.charset = Charset.ordered(contentType, start);
    this.redraw();
  }

  get #etag(): string {
    return `"${this.generation}"`;
  }

  #become(connection: Connection): void {
    this.connection = connection;
    if (this.generation) void this.#count();
    this.redraw();
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (milliseconds !== Infinity) setTimeout(resolve, milliseconds);
    });
  }

  /** Make sure that `line` is in memory, or will be. */
  need(line: number): void {
    this.#loader.need(line);
  }

  /** Bytes of the log, for those who copy or expand. */
  async bytes(start: number, stop: number): Promise<Uint8Array> {
    const headers = { Range: `bytes=${start}-${stop - 1}`, "If-Range": this.#etag };
    const response = await this.api.get("log", { follow: "0" }, { headers });
    if (response.status !== 206) throw new TypeError("not the bytes that were asked for");
    return new Uint8Array(await response.arrayBuffer());
  }

  /** A part of a line, from byte `start` of it or a little before: it does not begin in a character or in an escape sequence. */
  async slice(line: Line, start: number, stop: number): Promise<Slice> {
    stop = Math.min(stop, line.length);
    const from = Math.max(0, start - BEFORE);
    const bytes = await this.bytes(line.at + from, line.at + stop);
    const cut = this.charset.border(bytes, line.at + from, start - from);
    const before = this.charset.decode(bytes.subarray(0, cut), line.at + from, false);
    start = from + cut;
    const text = this.charset.decode(bytes.subarray(cut), line.at + start, stop === line.length && line.finished);
    return { start, stop, text, bytes: bytes.slice(cut), style: styleAfter(before, from ? PLAIN : line.style) };
  }

  /** Where a line begins; the end of the log for the line behind its last. */
  async offsetOf(line: number): Promise<number> {
    if (line <= 1) return 0;
    if (line > this.store.last) return this.store.size;
    return this.store.get(line)?.at ?? (await this.api.lines({ from: String(line), count: "1" })).offset;
  }
}

/** Read a stream with a buffer that is used again, where the browser can: a long log leaves no garbage. */
function reader(stream: ReadableStream<Uint8Array>): () => Promise<Uint8Array | null> {
  let byob: ReadableStreamBYOBReader;
  try {
    byob = stream.getReader({ mode: "byob" });
  } catch {
    const plain = stream.getReader();
    return async () => (await plain.read()).value ?? null;
  }
  let buffer: ArrayBufferLike = new ArrayBuffer(256 * 1024);
  return async () => {
    const { value, done } = await byob.read(new Uint8Array(buffer as ArrayBuffer));
    if (value) buffer = value.buffer;
    return done ? null : (value ?? null);
  };
}
