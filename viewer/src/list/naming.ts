/**
 * Which logs an address lists. Its path is a token and a prefix, or a prefix alone; the server tries the first, and then takes all of
 * it for a prefix. So a token in it that opens nothing any more would become a part of the prefix once another token is in the header:
 * of that there are no logs, for ever.
 */

import type { Api } from "../api.js";

const CODE = /^[\w-]{32}(\.\d{1,12})?$/;
/** The token of a prefix, which a name never has in it. */
const OF_PREFIX = /^p~[\w-]{32}(\.\d{1,12})?$/;

/** Whether a text is the token of one log, from its form. */
export const isOfLog = (token: string) => CODE.test(token);
export const isOfPrefix = (token: string) => OF_PREFIX.test(token);

export class Naming {
  /** What of the path was taken for a token, because no log's name begins with all of the path. */
  presumed: string | null = null;
  /** Whether the token that opens the list is in the path, and not in a header. */
  inPath = true;
  /** Whether the user has typed in a token here. */
  tried = false;

  /** `moved` is called when the page is about another path than its address says. */
  constructor(
    private readonly api: Api,
    private readonly moved: () => void,
  ) {}

  /** The first segment of the path. */
  get segment(): string {
    return this.api.path.split("/", 1)[0]!;
  }

  /** The token that opens the list; empty: none is known. */
  get token(): string {
    return this.inPath ? this.segment : (this.api.token ?? "");
  }

  /** Ask with this token from now on. */
  unlock(token: string): void {
    this.tried = true;
    this.api.keep(token);
    if (isOfPrefix(this.segment) || isOfLog(this.segment)) this.#drop();
  }

  /** The path has got a refusal of this status: look whether its first segment is a token that opens nothing. */
  async reread(status: number): Promise<boolean> {
    if (status !== 401 || !this.api.token || !(isOfPrefix(this.segment) || isOfLog(this.segment))) return false;
    this.#drop();
    return true;
  }

  /**
   * The server lists what the path says. Returns whether another path is meant: if there is nothing, and the path begins with a token of
   * old, that is what is behind it.
   */
  async opened(): Promise<boolean> {
    const { api, segment } = this;
    this.inPath = api.token === null || (segment !== "" && (await api.probe(api.path, null)) !== 401);
    if (this.inPath || !this.tried || !segment || this.presumed !== null) return false;
    const page = (await (await api.get("logs", { as: "json", limit: "1" })).json()) as { logs: unknown[] };
    if (page.logs.length) return false;
    this.presumed = segment;
    this.#drop();
    return true;
  }

  #drop(): void {
    this.api.path = this.api.path.slice(this.segment.length + 1);
    this.moved();
  }

  /** Which prefix is listed; empty: all logs. */
  get prefix(): string {
    return this.inPath ? this.api.path.slice(this.segment.length + 1) : this.api.path;
  }

  /** The address of this page. */
  get page(): string {
    return this.api.path ? this.api.page : `${this.api.page}/`;
  }

  /** The address of a log's page. */
  address(name: string): string {
    const { page, path } = this.api;
    const view = page.slice(0, page.length - path.length).replace(/\/$/, "");
    return [view, this.inPath ? this.segment : "", name].filter(Boolean).join("/");
  }
}
