/**
 * The list as it changes: taken in from its event stream, again after each break. Where something between the server and the page
 * keeps the stream back, the whole list is asked for every few seconds. A hidden page holds no connection for long: browsers allow
 * few, and other tabs need them.
 */

import { type Api, Refused } from "../api.js";
import type { Listed, Logs } from "./logs.js";
import type { Naming } from "./naming.js";
import { Events } from "./sse.js";

export type Connection =
  /** `polled`: the list is asked for again and again. */
  | { readonly kind: "opening" | "live" | "polled" | "resting" }
  /** The token opens nothing, or the server says what is wrong. */
  | { readonly kind: "denied" | "refused"; readonly message: string }
  | { readonly kind: "reconnecting"; readonly until: number };

/** Logs that are listed at first; older ones are fetched page by page. */
const MOST = 20_000;
const PAGE = 1000;
/** Milliseconds without a byte after which a stream does not get through: from the beginning, and later, since the server sends a comment every 15 seconds. */
const [FIRST, SILENCE] = [3000, 22_000];
/** Milliseconds from one answer with the whole list to the next question, and how many times as long as the answer took that is at least. */
const [POLL, SHARE] = [3000, 10];
/** Milliseconds until a stream is tried again where one was kept back: at first, and at most. */
const [SOON, LATE] = [60_000, 1_800_000];
/** Milliseconds from one look at whether the token still opens the list to the next: a stream that has begun goes on without it. */
const PULSE = 15_000;
/** Milliseconds that a hidden page keeps its connection. */
const GRACE = 10_000;
/** Milliseconds of work after which others have a turn. */
const TURN = 8;
/** Milliseconds from one drawing to the next while the list comes for the first time. */
const FRAME = 250;
const [FIRST_DELAY, LAST_DELAY] = [500, 15_000];

export class Watch {
  connection: Connection = { kind: "opening" };
  /** Whether a page of older logs is on its way. */
  isFetching = false;
  #wake: () => void = () => {};
  #aborter = new AbortController();
  #grace: ReturnType<typeof setTimeout> | undefined;
  #pulse: ReturnType<typeof setTimeout> | undefined;
  /** What a look at the token has found: it ends the stream. */
  #lost: Refused | null = null;
  /** Until when the list is polled; milliseconds since the epoch. */
  #polling = 0;
  #patience = SOON;
  #drawn = 0;

  /** `redraw` is called whenever there is something new to show. */
  constructor(
    private readonly api: Api,
    private readonly naming: Naming,
    private readonly logs: Logs,
    private readonly redraw: () => void,
  ) {
    const rest = () => this.#aborter.abort();
    const wake = () => this.#wake();
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#grace);
      if (document.hidden) this.#grace = setTimeout(rest, GRACE);
      else wake();
    });
    addEventListener("online", wake);
    addEventListener("pageshow", wake);
    addEventListener("pagehide", rest);
  }

  /** Try again now. */
  retry(): void {
    this.#wake();
  }

  /** Watch, through whatever happens. */
  async run(): Promise<void> {
    for (let delay = 0; ; ) {
      try {
        await (Date.now() < this.#polling ? this.#poll() : this.#follow());
        delay = 0;
        continue; // another path is meant, or another way to ask
      } catch (thrown) {
        const error = this.#lost ?? thrown;
        this.#lost = null;
        if (error instanceof Refused && error.status < 500 && error.status !== 408 && error.status !== 429) {
          if (await this.naming.reread(error.status).catch(() => false)) continue;
          this.#become({ kind: error.status === 401 ? "denied" : "refused", message: error.message });
          await this.#pause(Infinity);
          delay = 0;
          continue;
        }
        const again = error instanceof Refused ? (error.retry ?? 0) : 0;
        const first = /live|polled/.test(this.connection.kind);
        delay = Math.max(again, Math.min(LAST_DELAY, first ? FIRST_DELAY : Math.max(FIRST_DELAY, delay * 2)) * (0.75 + Math.random() / 2));
      }
      if (document.hidden) {
        this.#become({ kind: "resting" });
        while (document.hidden) await this.#pause(Infinity);
      } else {
        this.#become({ kind: "reconnecting", until: Date.now() + delay });
        await this.#pause(delay);
      }
    }
  }

  /** Fetch a page of older logs. */
  async older(): Promise<void> {
    const { next } = this.logs;
    if (next === null || this.isFetching) return;
    this.isFetching = true;
    this.redraw();
    try {
      const response = await this.api.get("logs", { as: "json", limit: String(PAGE), before: next });
      const page = (await response.json()) as { logs: Listed[]; next: string | null };
      if (this.logs.next === next) this.logs.append(page.logs, page.next);
    } finally {
      this.isFetching = false;
      this.redraw();
    }
  }

  /** Take in events until they break off, which throws. Returns if another path is meant, or the stream is kept back. */
  async #follow(): Promise<void> {
    const aborter = (this.#aborter = new AbortController());
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    let isKeptBack = false;
    const heard = (patience: number) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => {
        isKeptBack = true;
        aborter.abort();
      }, patience);
    };
    heard(FIRST);
    try {
      const limit = String(this.#most);
      const response = await this.api.get("logs", { as: "events", limit }, { signal: aborter.signal });
      if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new TypeError("no event stream");
      this.logs.begin();
      if (await this.naming.opened()) return;
      this.#look();
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      const events = new Events();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new TypeError("the list has broken off");
        heard(SILENCE);
        await this.#take(events.feed(value));
        this.#patience = SOON;
      }
    } catch (error) {
      if (!isKeptBack) throw error;
      this.#polling = Date.now() + this.#patience;
      this.#patience = Math.min(LATE, 2 * this.#patience);
    } finally {
      clearTimeout(watchdog);
      clearTimeout(this.#pulse);
      aborter.abort();
    }
  }

  /** Ask for the whole list again and again. Returns when the stream may be tried again, or another path is meant; throws what is wrong. */
  async #poll(): Promise<void> {
    const aborter = (this.#aborter = new AbortController());
    while (Date.now() < this.#polling) {
      const began = Date.now();
      const most = this.#most;
      const response = await this.api.get("logs", { as: "ndjson", limit: String(most) }, { signal: aborter.signal });
      this.logs.begin();
      if (await this.naming.opened()) return;
      const found = (await response.text()).split("\n").filter(Boolean);
      const told = found.map((data) => ({ kind: "log", data }));
      const last = found.length < most ? null : (JSON.parse(found.at(-1)!) as Listed).generation;
      await this.#take([...told, { kind: "listed", data: JSON.stringify({ next: last }) }], "polled");
      await this.#pause(Math.max(POLL, SHARE * (Date.now() - began)));
      while (document.hidden) await this.#pause(Infinity);
    }
  }

  /** Logs that are listed: those that were fetched page by page, too. */
  get #most(): number {
    return Math.max(MOST, this.logs.all.length);
  }

  /** Look now and then whether the token still opens the list, and when it expires. */
  #look(): void {
    clearTimeout(this.#pulse);
    const expires = 1000 * Number(/^(?:p~)?[\w-]{32}\.(\d{1,12})$/.exec(this.naming.token)?.[1] ?? 0) - Date.now();
    this.#pulse = setTimeout(() => {
      const { signal } = this.#aborter;
      void this.api.get("logs", { as: "json", limit: "1" }, { signal }).then((answer) => answer.body?.cancel(), (error) => {
        if (signal.aborted || !(error instanceof Refused) || error.status !== 401) return; // of anything else the stream tells
        this.#lost = error;
        this.#aborter.abort();
      }).then(() => signal.aborted || this.#look());
    }, expires > -PULSE ? Math.min(PULSE, Math.max(500, expires + 100)) : PULSE);
  }

  async #take(events: Iterable<{ kind: string; data: string }>, kind: "live" | "polled" = "live"): Promise<void> {
    let began = performance.now();
    for (const { kind: event, data } of events) {
      this.logs.apply(event, JSON.parse(data));
      if (event === "listed") this.#become({ kind });
      if (performance.now() - began < TURN) continue;
      if (this.logs.listed || began - this.#drawn >= FRAME) {
        this.#drawn = began;
        this.redraw();
      }
      await new Promise((resolve) => setTimeout(resolve));
      began = performance.now();
    }
    if (this.logs.listed) this.redraw();
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
}
