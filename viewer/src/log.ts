/**
 * The log as it grows: opened at its end, followed, and taken up again after each break at the very next byte.
 *
 * What is read is one log. If another one takes its place, that is told; they are never joined. A hidden page
 * holds no connection: browsers allow few, and other tabs need them.
 */

import { type Api, FOREVER, Refused, type Status } from "./api.js";
import { newlines, Store } from "./store.js";

export type Connection =
  | { readonly kind: "opening" | "following" | "resting" | "ended" | "replaced" }
  /** There is no such log: not yet, or no more; or the server says what is wrong. */
  | { readonly kind: "waiting" | "gone" | "denied" | "refused"; readonly message: string }
  | { readonly kind: "reconnecting"; readonly until: number };

const TAIL = 200;
const PAGE = 500;
const PULSE = 5000;
/** Bytes of an answer at most, in which there are whole lines, or a part of one. */
const LONGEST = 4 * 1024 * 1024;
const [FIRST_DELAY, LAST_DELAY] = [500, 15000];

/** The log that is read has another generation than the one that was opened. */
class Replaced extends Error {}

export class Log {
  readonly store = new Store();
  status: Status | null = null;
  connection: Connection = { kind: "opening" };
  /** When the last byte came; milliseconds since the epoch. */
  changed: number | null = null;

  /** Which log this is; empty before it is opened. */
  etag = "";
  #wake: () => void = () => {};
  #aborter = new AbortController();
  #buffered = false;
  readonly #loading = new Set<string>();

  /** `redraw` is called whenever there is something new to show, `renumbered` when all lines get other numbers. */
  constructor(
    private readonly api: Api,
    private readonly redraw: () => void,
    private readonly renumbered: (shift: number) => void,
  ) {
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#aborter.abort() : this.#wake()));
    addEventListener("online", () => this.#wake());
    addEventListener("pagehide", () => this.#aborter.abort());
    setInterval(() => void this.#pulse(), PULSE);
  }

  get ended(): boolean {
    return this.status?.state === "complete" || this.status?.state === "aborted";
  }

  /** Try again now. */
  retry(): void {
    this.#wake();
  }

  /** Open the log and follow it to its end, through whatever happens. */
  async run(): Promise<void> {
    let delay = 0;
    for (;;) {
      const before = this.store.size;
      try {
        if (!this.etag) await this.#open();
        if (await this.#follow()) return this.#become({ kind: "ended" });
        delay = 0;
      } catch (error) {
        if (error instanceof Replaced) return this.#become({ kind: "replaced" });
        if (error instanceof Refused && error.status < 500) {
          delay = await this.#refused(error);
          continue;
        }
        const following = this.connection.kind === "following";
        if (this.store.size > before) delay = 0;
        else delay = Math.min(LAST_DELAY, following ? FIRST_DELAY : Math.max(FIRST_DELAY, delay * 2)) * (0.75 + Math.random() / 2);
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
    this.etag = piece.etag;
    this.changed = piece.time;
    this.redraw();
    this.#learn(await known);
    if (!this.store.numbered) void this.#count(piece.offset);
  }

  /** Ask for the numbers of lines until the server knows them. */
  async #count(offset: number): Promise<void> {
    const line = this.store.lineAt(offset); // which may be forgotten before it is counted
    for (;;) {
      const { first } = await this.api.lines({ at: String(offset), count: "1" }).catch(() => ({ first: null }));
      if (this.store.numbered) return;
      if (first !== null && line !== null) {
        this.renumbered(this.store.renumber(line, first));
        return this.redraw();
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }

  /** Read what comes. True: that was all of it, for ever. Throws if it breaks off. */
  async #follow(): Promise<boolean> {
    this.#aborter = new AbortController();
    if (document.hidden) return false;
    if (this.ended && this.status!.size === this.store.size) return true;
    const { signal } = this.#aborter;
    if (this.#buffered) await this.api.status({ wait: "25", size: String(this.store.size) }, signal);
    const last = this.#buffered ? "" : FOREVER;
    const headers = { Range: `bytes=${this.store.size}-${last}`, "If-Range": this.etag };
    const response = await this.api.get("log", {}, { headers, signal });
    if ((response.headers.get("ETag") ?? this.etag) !== this.etag) {
      this.#aborter.abort();
      throw new Replaced();
    }
    this.#become({ kind: "following" });
    if (response.status !== 416) await this.#read(response, response.status === 200 ? this.store.size : 0);
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
      this.changed = Date.now();
      this.store.append(fresh, this.changed);
      this.redraw();
    }
  }

  /** A refusal: wait for what may change it. Returns for how long to wait then. */
  async #refused(error: Refused): Promise<number> {
    const { status, message, retry } = error;
    if (status === 404 && retry !== null && !this.etag) {
      this.#become({ kind: "waiting", message });
      try {
        await this.api.status({ wait: "60" });
        return 0;
      } catch {
        await this.#pause(retry);
      }
      return 0;
    }
    const kind = status === 401 ? "denied" : status === 404 && this.etag ? "gone" : "refused";
    this.#become({ kind, message });
    await this.#pause(kind === "gone" ? (retry ?? LAST_DELAY) : Infinity);
    return 0;
  }

  /** What is known of the log, every few seconds: who writes it may have left, or tells its title. */
  async #pulse(): Promise<void> {
    if (document.hidden || !this.etag || !/following|opening/.test(this.connection.kind)) return;
    const before = this.store.size;
    const status = await this.api.status().catch(() => null);
    if (status && !this.#isThis(status)) return this.#aborter.abort(); // and asking again tells that it was replaced
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
    if (!status || !this.#isThis(status)) return;
    this.status = status;
    this.changed = Math.max(this.changed ?? 0, Date.parse(status.changed) || 0) || null;
    this.redraw();
  }

  #isThis(status: Status): boolean {
    return `"${status.generation}"` === this.etag;
  }

  #become(connection: Connection): void {
    this.connection = connection;
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
    const { store } = this;
    if (line < 1 || line > store.last || store.get(line)) return;
    const above = store.nearest(line, -1);
    const below = store.nearest(line, 1);
    if (below !== null && (below - line <= PAGE || !store.numbered)) {
      void this.#load({ at: String(store.get(below)!.at), count: String(-PAGE) }, below, -1);
    } else if (above !== null && line - above <= PAGE && store.get(above)!.finished) {
      const { at, length } = store.get(above)!;
      void this.#load({ at: String(at + length + 1), count: String(PAGE) }, above + 1, 1);
    } else if (store.numbered) {
      const from = Math.max(1, line - PAGE / 4);
      void this.#load({ from: String(from), count: String(PAGE) }, from, 1);
    }
  }

  async #load(query: Record<string, string>, edge: number, direction: -1 | 1): Promise<void> {
    const key = JSON.stringify(query);
    if (this.#loading.has(key)) return;
    this.#loading.add(key);
    const { numbered } = this.store;
    try {
      const piece = await this.api.lines(query);
      if (piece.etag !== this.etag) return;
      const unfinished = piece.bytes.length && piece.bytes.at(-1) !== 10;
      const count = newlines(piece.bytes) + (unfinished ? 1 : 0);
      let first = direction < 0 ? edge - count : edge;
      if (piece.first !== null) {
        // Between question and answer all numbers may have become real ones.
        if (!this.store.numbered) this.renumbered(this.store.renumber(first, piece.first));
        first = piece.first;
      } else if (!numbered && this.store.numbered) return;
      else if (direction < 0 && piece.offset === 0 && !this.store.numbered) {
        this.renumbered(this.store.renumber(first, 1));
        first = 1;
      }
      this.store.insert(piece, first);
      this.redraw();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1000)); // then whoever still needs it asks again
      this.redraw();
    } finally {
      this.#loading.delete(key);
    }
  }

  /** Bytes of the log, for those who copy or expand. */
  async bytes(start: number, stop: number): Promise<Uint8Array> {
    const headers = { Range: `bytes=${start}-${stop - 1}`, "If-Range": this.etag };
    const response = await this.api.get("log", { follow: "0" }, { headers });
    if (response.headers.get("ETag") !== this.etag || response.status !== 206) throw new Replaced();
    return new Uint8Array(await response.arrayBuffer());
  }

  /** Where a line begins; the end of the log for the line behind its last. */
  async offsetOf(line: number): Promise<number> {
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
