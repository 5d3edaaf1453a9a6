/** The server, as this page finds it: everything that is asked of it is asked here. */

import { PLAIN, sgr } from "./ansi.js";
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

/** What is known of a log besides its bytes. */
export interface Status {
  readonly name: string;
  readonly generation: string;
  readonly state: "live" | "interrupted" | "complete" | "aborted";
  readonly size: number;
  readonly title: string | null;
  readonly exit_code: number | null;
  readonly labels: Record<string, string>;
  readonly began: string;
  readonly changed: string;
  readonly ended: string | null;
  readonly reason: string | null;
}

export interface Group {
  readonly start: number;
  /** The last line: included; null while it is open. */
  readonly end: number | null;
  readonly title: string;
  readonly level: number;
  readonly collapsed: boolean;
  readonly seconds: number | null;
}

/** What a search tells: a hit, how far it is, or that it is done. */
export interface Found {
  readonly line?: number;
  readonly scanned?: number;
  readonly of?: number;
  readonly done?: boolean;
  readonly next?: number | null;
  readonly error?: string;
}

const TOKEN = "livelog token";

/** `bytes=N-FOREVER` is answered by what there is from byte N, and then by what comes (RFC 8673). */
export const FOREVER = "9007199254740991";

export class Api {
  readonly #prefix: string;
  /** The path behind `/view/`: a token and a name, or only a name. */
  readonly path: string;

  constructor(pathname: string) {
    const match = /^(.*?)\/view(?:\/(.*))?$/.exec(pathname.replace(/^\/+/, "/")); // two slashes would name a host
    this.#prefix = match?.[1] ?? "";
    this.path = match?.[2] ?? "";
  }

  /** The token that was typed in, or came in the fragment. It is kept for this tab only. */
  keep(token: string): void {
    sessionStorage.setItem(TOKEN, token);
  }

  get #token(): string | null {
    return sessionStorage.getItem(TOKEN);
  }

  /** The address of the log itself, for links. `name` tells whether the path begins with a token: a link sends no header. */
  raw(name: string): string {
    return this.#url("log", this.#token && this.path === name ? [this.#token, name].filter(Boolean).join("/") : this.path);
  }

  #url(resource: string, path: string = this.path): string {
    return `${this.#prefix}/${resource}${path && `/${path}`}`;
  }

  /** Ask. Throws Refused for a status of 400 or more, but 416, and TypeError if there is no answer. */
  async get(resource: string, query: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#token) headers.set("Authorization", `Bearer ${this.#token}`);
    const asked = new URLSearchParams(query).toString();
    const url = this.#url(resource) + (asked && `?${asked}`);
    const response = await fetch(url, { ...init, headers, cache: "no-store", credentials: "omit", redirect: "error" });
    if (response.status < 400 || response.status === 416) return response;
    const retry = response.headers.get("Retry-After");
    const seconds = retry === null || Number.isNaN(Number(retry)) ? null : Number(retry) * 1000;
    throw new Refused(response.status, (await response.text()).trim().slice(0, 300), seconds);
  }

  async status(query: Record<string, string> = {}, signal?: AbortSignal): Promise<Status> {
    return (await (await this.get("status", query, { signal: signal ?? null })).json()) as Status;
  }

  /** Some lines, and which log they are of. */
  async lines(query: Record<string, string>): Promise<Piece & { etag: string }> {
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
      etag: field("ETag") ?? "",
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
