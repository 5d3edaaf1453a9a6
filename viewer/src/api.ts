/** The server, as this page finds it: everything that is asked of it is asked here. */

import { PLAIN, sgr } from "./sgr.js";
import type { Piece } from "./store.js";

/** An answer that is a refusal. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Milliseconds to wait before asking again; null: there is no use in it. */
    readonly retry: number | null,
  ) {
    super(message);
  }
}

/** Another log has taken the place of the one that is shown. */
export class Replaced extends Refused {
  constructor() {
    super(412, "A newer log has taken this one’s place", null);
  }
}

/** What to tell the user where a script that this page needs is not to be had. */
export const OUTDATED = "The server has another version of this page by now";

/** What to tell the user of something that went wrong. */
export function reasonOf(error: unknown): string {
  return error instanceof Refused && error.message ? error.message : "The server does not answer";
}

/** What is known of a log besides its bytes. */
export interface Status {
  readonly name: string;
  readonly generation: string;
  readonly state: "live" | "interrupted" | "complete" | "aborted";
  readonly size: number;
  readonly content_type: string;
  readonly title: string | null;
  readonly exit_code: number | null;
  readonly labels: Record<string, string>;
  readonly began: string;
  readonly changed: string;
  readonly ended: string | null;
  readonly reason: string | null;
  /** How many follow it now; this page is one of them while it does. */
  readonly readers: number;
  /** Seconds from the begin to the end, or to the moment of the answer. */
  readonly elapsed: number;
  /** The logs of its name, the newest in front. */
  readonly attempts?: readonly Attempt[];
  /** The longest times without a byte, if they were asked for. */
  readonly gaps?: readonly { readonly seconds: number; readonly offset: number }[];
}

/** One of the logs of a name that are kept. */
export interface Attempt {
  /** 0: the newest; -1: the one before it. */
  readonly attempt: number;
  readonly generation: string;
  readonly state: Status["state"];
  readonly began: string;
  readonly exit_code: number | null;
}

export interface Group {
  readonly start: number;
  /** The last line: included; null while it is open. */
  readonly end: number | null;
  readonly title: string;
  readonly level: number;
  readonly collapsed: boolean;
  /** When its first line came. */
  readonly began: string;
  /** How long it took, or has taken so far. */
  readonly seconds: number | null;
}

export type Level = "error" | "warning" | "notice";

/** An error, a warning or a notice in a log. */
export interface Problem {
  readonly line: number;
  /** Its last line: included. */
  readonly last: number;
  /** Where its first line begins; bytes. */
  readonly offset: number;
  /** When that began to arrive. */
  readonly time: string;
  readonly level: Level;
  readonly message: string;
  /** The place in the sources; null: the log does not tell it. */
  readonly file: string | null;
  readonly row: number | null;
  readonly column: number | null;
}

export interface Problems {
  readonly problems: readonly Problem[];
  readonly counts: Readonly<Record<string, number>>;
  /** How many problems to skip for the next page; null: there is none. */
  readonly next: number | null;
  /** Bytes that have been scanned. */
  readonly indexed: number;
}

/** A line that an earlier log does not have, and how many such lines there are. */
export interface NewLine {
  readonly line: number;
  readonly text: string;
  readonly count: number;
}

export interface Comparison {
  readonly lines: readonly NewLine[];
  /** How many different lines are new. */
  readonly new: number;
  /** Bytes of the log that have been compared. */
  readonly indexed: number;
  readonly with: Compared;
}

/** The log that another one was compared with, and how many of its bytes. */
export interface Compared {
  readonly generation: string;
  readonly size: number;
  readonly indexed: number;
}

/** What a search tells: a hit, how far it is, or that it is done. */
export interface Found {
  readonly line?: number;
  /** Where in the log a hit is, and how long it is; bytes. */
  readonly offset?: number;
  readonly length?: number;
  /** By line: where it begins, its text as it was sent, whether that is only a part of it, when it came, and whether it is only beside one that matches. */
  readonly start?: number;
  readonly text?: string;
  readonly cut?: boolean;
  readonly time?: string;
  readonly context?: boolean;
  readonly scanned?: number;
  readonly of?: number;
  readonly done?: boolean;
  readonly next?: number | null;
  readonly error?: string;
}

const TOKEN = "livelog token";

/** `bytes=N-FOREVER` is answered by what there is from byte N, and then by what comes (RFC 8673). */
export const FOREVER = "9007199254740991";

/** What an answer to a range says that has no byte: not satisfiable, or in conflict with a log that broke off there. */
const NOTHING_MORE = [409, 416];

export class Api {
  /** The generation of the log that is shown; empty before it is opened. No answer of another one is given to anybody. */
  generation = "";
  /** Which log of this name the address asks for: an attempt, or a generation; none of them: the newest. Every question says so. */
  which: Record<string, string> = {};
  /** Called with what was wrong when an answer is a refusal, or does not come. */
  onTrouble: (error: unknown) => void = () => {};
  /** The path behind `/view/`: a token and a name, or only a name. See `naming` about which of the two. */
  path: string;
  readonly #prefix: string;
  /** Whether another log has taken the place of the one that is shown: then nothing is asked any more. */
  replaced = false;

  constructor(pathname: string, search = "") {
    for (const [name, value] of new URLSearchParams(search)) if (/^(attempt|generation)$/.test(name) && value !== "0") this.which[name] ??= value;
    const match = /^(.*?)\/view(?:\/(.*))?$/.exec(pathname.replace(/^\/+/, "/")); // two slashes would name a host
    this.#prefix = match?.[1] ?? "";
    this.path = match?.[2] ?? "";
  }

  /** The token that was typed in, or came in the fragment. It is kept for this tab only. */
  keep(token: string): void {
    sessionStorage.setItem(TOKEN, token);
  }

  get token(): string | null {
    return sessionStorage.getItem(TOKEN);
  }

  /** The address of the page itself. */
  get page(): string {
    return this.#url("view", this.path);
  }

  /**
   * The address of the log itself, or of something else of it, for links. `name` tells whether the path begins with a token: a link sends no header.
   * Nor does it say If-Match: what is behind it is this log, or nothing.
   */
  raw(name: string, query: Record<string, string> = {}, resource = "log"): string {
    const path = this.token && decoded(this.path) === name ? [this.token, name].filter(Boolean).join("/") : this.path;
    const asked = new URLSearchParams({ ...query, ...this.which, ...(this.generation && { generation: this.generation }) }).toString();
    return this.#url(resource, path) + (asked && `?${asked}`);
  }

  #url(resource: string, path: string): string {
    return `${this.#prefix}/${resource}${path && `/${path}`}`;
  }

  /**
   * Ask. Throws Replaced if the answer is of another log than the one that is shown, Refused for a status of 400 or more, but
   * NOTHING_MORE, and TypeError if there is no answer.
   */
  async get(resource: string, query: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> {
    try {
      const response = await this.#ask(resource, this.path, query, this.token, init);
      if (response.status < 400 || (resource === "log" && NOTHING_MORE.includes(response.status))) return response;
      throw await refusal(response);
    } catch (error) {
      if (!init.signal?.aborted) this.onTrouble(error);
      throw error;
    }
  }

  /**
   * The log is open: answers of another one are given to nobody. One that the address asks for has its generation there from now on,
   * so that it stays the same log, and a link to its lines right, when newer ones begin.
   */
  open(generation: string): void {
    this.generation = generation;
    if (!this.which.attempt) return;
    this.which = { generation };
    history.replaceState(history.state, "", location.search.replace(/attempt=[^&]*/, `generation=${generation}`) + location.hash);
  }

  /** Whether there is a log at this path, with this token in a header or none: the status that says so. */
  async probe(path: string, token: string | null, query: Record<string, string> = {}): Promise<number> {
    const response = await this.#ask("status", path, query, token, {});
    await response.body?.cancel();
    return response.status;
  }

  async #ask(resource: string, path: string, query: Record<string, string>, token: string | null, init: RequestInit): Promise<Response> {
    if (this.replaced) throw new Replaced();
    const headers = new Headers(init.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    const asked = new URLSearchParams({ ...query, ...this.which }).toString();
    const url = this.#url(resource, path) + (asked && `?${asked}`);
    const response = await fetch(url, { ...init, headers, cache: "no-store", credentials: "omit", redirect: "error" });
    const etag = response.headers.get("ETag");
    if (etag !== null && !this.#isThis(generationOf(etag))) {
      await response.body?.cancel();
      throw new Replaced();
    }
    return response;
  }

  /** Whether it is the log that is shown. */
  #isThis(generation: string): boolean {
    this.replaced ||= this.generation !== "" && generation !== this.generation;
    return !this.replaced;
  }

  /** A script of the page. What is behind its address never changes: the browser may keep it. */
  async script(file: string): Promise<string> {
    const response = await fetch(this.#url("page", file), { credentials: "omit", redirect: "error" });
    if (response.status >= 400) throw response.status === 404 ? new Refused(404, OUTDATED, null) : await refusal(response);
    return response.text();
  }

  async status(query: Record<string, string> = {}, signal?: AbortSignal): Promise<Status> {
    const response = await this.get("status", query, { signal: signal ?? null });
    const status = (await response.json()) as Status;
    if (this.#isThis(status.generation)) return status;
    const error = new Replaced(); // which a proxy that takes ETags away has hidden
    this.onTrouble(error);
    throw error;
  }

  /** Some lines, and which log they are of. */
  async lines(query: Record<string, string>): Promise<Piece & { generation: string }> {
    const response = await this.get("lines", query);
    const field = (name: string) => response.headers.get(name);
    const number = (name: string) => (/^\d+$/.test(field(name) ?? "") ? Number(field(name)) : null);
    const time = Date.parse(field("Livelog-Time") ?? "");
    const style = field("Livelog-Style") ?? "";
    return {
      first: number("Livelog-First-Line"),
      offset: number("Livelog-Offset") ?? 0,
      size: number("Livelog-Size") ?? 0,
      time: Number.isNaN(time) ? null : time,
      style: style ? sgr(PLAIN, style) : PLAIN,
      generation: generationOf(field("ETag") ?? ""),
      bytes: new Uint8Array(await response.arrayBuffer()),
    };
  }

  async groups(from: number): Promise<{ groups: Group[]; more: boolean }> {
    return (await (await this.get("groups", { from: String(from) })).json()) as { groups: Group[]; more: boolean };
  }

  /** The answers to a search, line by line as they come. */
  async *search(query: Record<string, string>, signal: AbortSignal): AsyncGenerator<Found> {
    const response = await this.get("search", query, { signal });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line) yield JSON.parse(line) as Found;
    }
  }
}

async function refusal(response: Response): Promise<Refused> {
  const retry = response.headers.get("Retry-After");
  const seconds = retry === null || Number.isNaN(Number(retry)) ? null : Number(retry) * 1000;
  return new Refused(response.status, (await response.text()).trim().slice(0, 300), seconds);
}

/** The generation in an ETag: also in one that a proxy has made weak, or has given an ending, because it compresses. */
export function generationOf(etag: string): string {
  return /\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}/.exec(etag)?.[0] ?? etag.replace(/^W\/|"/g, "");
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
