/**
 * The list as it changes: taken in from its event stream, again after each break. A hidden page holds no connection for long:
 * browsers allow few, and other tabs need them.
 */

import { type Api, Refused } from "../api.js";
import type { Listed, Logs } from "./logs.js";
import type { Naming } from "./naming.js";
import { Events } from "./sse.js";

export type Connection =
  | { readonly kind: "opening" | "live" | "resting" }
  /** The token opens nothing, or the server says what is wrong. */
  | { readonly kind: "denied" | "refused"; readonly message: string }
  | { readonly kind: "reconnecting"; readonly until: number };

/** Logs that are listed at first; older ones are fetched page by page. */
const MOST = 20_000;
const PAGE = 1000;
/** Milliseconds without a byte after which the server is away: it sends a comment every 15 seconds. */
const SILENCE = 40_000;
/** Milliseconds that a hidden page keeps its connection. */
const GRACE = 10_000;
/** Milliseconds of work after which others have a turn. */
const TURN = 8;
const [FIRST_DELAY, LAST_DELAY] = [500, 15_000];

export class Watch {
  connection: Connection = { kind: "opening" };
  /** Whether a page of older logs is on its way. */
  isFetching = false;
  #wake: () => void = () => {};
  #aborter = new AbortController();
  #grace: ReturnType<typeof setTimeout> | undefined;

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
        await this.#follow();
        continue; // another path is meant
      } catch (error) {
        if (error instanceof Refused && error.status < 500 && error.status !== 408 && error.status !== 429) {
          if (await this.naming.reread(error.status).catch(() => false)) continue;
          this.#become({ kind: error.status === 401 ? "denied" : "refused", message: error.message });
          await this.#pause(Infinity);
          delay = 0;
          continue;
        }
        const again = error instanceof Refused ? (error.retry ?? 0) : 0;
        const first = this.connection.kind === "live";
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

  /** Take in events until they break off, which throws. Returns if another path is meant. */
  async #follow(): Promise<void> {
    const aborter = (this.#aborter = new AbortController());
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    const heard = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => aborter.abort(), SILENCE);
    };
    heard();
    try {
      const limit = String(Math.max(MOST, this.logs.all.length));
      const response = await this.api.get("logs", { as: "events", limit }, { signal: aborter.signal });
      if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new TypeError("no event stream");
      this.logs.begin();
      if (await this.naming.opened()) return;
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      const events = new Events();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new TypeError("the list has broken off");
        heard();
        await this.#take(events.feed(value));
      }
    } finally {
      clearTimeout(watchdog);
      aborter.abort();
    }
  }

  async #take(events: Iterable<{ kind: string; data: string }>): Promise<void> {
    let began = performance.now();
    for (const { kind, data } of events) {
      this.logs.apply(kind, JSON.parse(data));
      if (kind === "listed") this.#become({ kind: "live" });
      if (performance.now() - began < TURN) continue;
      this.redraw();
      await new Promise((resolve) => setTimeout(resolve));
      began = performance.now();
    }
    this.redraw();
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
