/**
 * Scripts of the page that are loaded when they are first used, each from an address that holds its hash.
 *
 * A script is fetched as text and put into the page as an element. The browser runs it only if the page's policy names the hash of
 * just this text: so nobody between the server and the page can have it run anything else.
 */

import { type Api, OUTDATED, reasonOf, Refused } from "./api.js";
import { lent } from "./lent.js";
import type { Notices } from "./notices.js";

/** Milliseconds for which keys wait for a script; and until one is asked for again that nobody waits for, and did not come. */
const [HOLD, LATER] = [5000, 15000];

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
  /** Before which times scripts are not asked for again; milliseconds since the epoch. */
  readonly #tried = new Map<string, number>();
  /** Keys that are pressed while the script is on its way that the key before them asks for: null, if none is. */
  #held: KeyboardEvent[] | null = null;

  /** `press`: does what a key does where no field has the focus. */
  constructor(
    private readonly api: Api,
    private readonly notices: Notices,
    private readonly redraw: () => void,
    private readonly press: (event: KeyboardEvent) => void,
  ) {}

  /** Do something with a script, which is loaded if this is its first use; keys that are pressed meanwhile wait. */
  use<T>(name: string, act: (script: T) => void): void {
    const held = (this.#held ??= []);
    setTimeout(() => (this.#held = this.#held === held ? null : this.#held), HOLD);
    this.#load<T>(name).then(act, (error) => {
      if (reasonOf(error) === OUTDATED) this.#outdated();
      else this.notices.tell(reasonOf(error));
    }).finally(() => {
      if (this.#held !== held) return;
      this.#held = null;
      held.forEach((event) => this.#type(event));
    });
  }

  /** Load a script that nobody has asked for by a key: once, and if that fails, some time later again. */
  async quietly<T>(name: string, act: (script: T) => void): Promise<void> {
    if (Date.now() < (this.#tried.get(name) ?? 0)) return;
    this.#tried.set(name, Date.now() + LATER);
    try {
      act(await this.#load<T>(name));
      this.redraw();
    } catch (error) {
      if (reasonOf(error) === OUTDATED) this.#outdated();
    }
  }

  /** Whether a key that was pressed has to wait for a script. `acts`: whether it does something where no field has the focus. */
  holds(event: KeyboardEvent, acts: boolean): boolean {
    const types = !event.ctrlKey && !event.metaKey && !event.altKey && /^(.|Enter|Escape|Backspace)$/u.test(event.key);
    if (!this.#held || !(acts || types)) return false;
    event.preventDefault();
    this.#held.push(event);
    return true;
  }

  /** A key that was held back goes to where the next one would go. */
  #type(event: KeyboardEvent): void {
    const field = document.activeElement;
    const dialog = field?.closest("dialog");
    if (event.key === "Escape" && dialog) dialog.close();
    else if (!(field instanceof HTMLInputElement)) this.press(event);
    else if (event.key === "Enter" && field.form) field.form.requestSubmit();
    else if (event.key === "Enter" || event.key === "Escape") field.dispatchEvent(new KeyboardEvent("keydown", event));
    else {
      field.value = event.key === "Backspace" ? field.value.slice(0, -1) : field.value + event.key;
      field.dispatchEvent(new InputEvent("input"));
    }
  }

  #outdated(): void {
    this.notices.tell(OUTDATED, "Reload", () => location.reload());
  }

  /** What this script exports. Throws Refused where the server has no such script (any more), TypeError if it does not answer. */
  #load<T>(name: string): Promise<T> {
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
