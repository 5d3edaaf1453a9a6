/**
 * Which log an address names. Its path is a token and a name, or a name alone; the server tries the first, and then takes all of
 * it for a name. So a token in it that opens nothing, or has expired, becomes a part of the name once another token is in the
 * header: that log has not begun, for ever.
 */

import type { Api } from "./api.js";

/** A log's own token, which may expire. Such a segment of a name is taken for one. */
const READ_TOKEN = /^[\w-]{32}(\.\d{1,12})?$/;

export class Naming {
  /** What of the path was taken for a token, on no other ground than that there is a log of the rest's name. */
  presumed: { readonly segment: string; readonly path: string; readonly address: string } | null = null;
  /** Whether to presume: the user has typed in a token here, or says so. */
  presuming = false;
  /** Whether that may help: there is no log of the whole path, and the token opens what is behind its first segment. */
  canPresume = false;

  constructor(private readonly api: Api) {}

  /** The first segment of the path, and what is behind it; null if there is none. */
  get parts(): readonly [string, string] | null {
    const { path } = this.api;
    if (!path) return null;
    const slash = path.indexOf("/");
    return slash < 0 ? [path, ""] : [path.slice(0, slash), path.slice(slash + 1)];
  }

  /** Ask with this token from now on; `name`: what the log is called, if it is open. */
  unlock(token: string, name: string | null): void {
    this.api.keep(token);
    this.presuming = true;
    if (name !== null) this.api.path = name;
  }

  /**
   * The path has got a refusal of this status: look whether it means another log, and have the page ask for that one from now on.
   * `name`: what the log is called, if it was open already.
   */
  async reread(refusal: number, name: string | null): Promise<boolean> {
    const { api, parts } = this;
    if (!api.token || !parts || (refusal !== 401 && refusal !== 404)) return false;
    const [segment, rest] = parts;
    if (rest === api.path || (name !== null && name !== rest)) return false;
    if ((await api.probe(api.path, null)) !== 401) return false; // the token in the path is a good one
    if (name === null) {
      const answer = await api.probe(rest, api.token);
      const isToken = refusal === 401 || READ_TOKEN.test(segment);
      this.canPresume = !isToken && !this.presuming && (answer === 200 || answer === 404);
      if (this.canPresume || (answer !== 200 && !(answer === 404 && isToken))) return false;
      if (!isToken) this.presumed = { segment, path: api.path, address: api.page };
    }
    api.path = rest;
    return true;
  }

  /** Wait for the log to begin; throws if it does not within this time. */
  async wait(seconds: number): Promise<void> {
    const { api, parts } = this;
    const wait = { wait: String(seconds) };
    const asked = [api.status(wait).then(() => {})];
    if (this.presuming && api.token && parts) {
      asked.push(api.probe(parts[1], api.token, wait).then((status) => (status === 200 ? undefined : Promise.reject(new TypeError()))));
    }
    await Promise.any(asked);
  }
}
