/**
 * Scripts of the page that are loaded when they are first used, each from an address that holds its hash.
 *
 * A script is fetched as text and put into the page as an element. The browser runs it only if the page's policy names the hash of
 * just this text: so nobody between the server and the page can have it run anything else.
 */

import { type Api, OUTDATED, Refused } from "./api.js";
import { lent } from "./lent.js";

/** The file of each script, as the build has named them. */
declare const SCRIPTS: Record<string, string>;

/** What loaded scripts find, and leave, in the window. */
const shelf = { lent, made: undefined as unknown, style: "" };
Object.assign(window, { livelog: shelf });

/** Only the page's policy decides what runs (Trusted Types asks for a name all the same). */
type Policy = { createScript(text: string): string };
const { trustedTypes } = window as unknown as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } };
const policy = trustedTypes?.createPolicy("livelog", { createScript: (text) => text });

export class Scripts {
  readonly #loading = new Map<string, Promise<unknown>>();

  constructor(private readonly api: Api) {}

  /** What this script exports. Throws Refused where the server has no such script (any more), TypeError if it does not answer. */
  load<T>(name: string): Promise<T> {
    let loading = this.#loading.get(name);
    if (!loading) {
      loading = this.#run(SCRIPTS[name]!);
      this.#loading.set(name, loading);
      loading.catch(() => this.#loading.delete(name)); // it is asked for again
    }
    return loading as Promise<T>;
  }

  async #run(file: string): Promise<unknown> {
    const text = await this.api.script(file);
    const element = document.createElement("script");
    shelf.made = undefined;
    element.text = policy ? policy.createScript(text) : text;
    document.head.append(element);
    element.remove();
    if (shelf.made === undefined) throw new Refused(0, OUTDATED, null); // it is another text than this page may run
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(shelf.style);
    document.adoptedStyleSheets.push(sheet);
    return shelf.made;
  }
}
