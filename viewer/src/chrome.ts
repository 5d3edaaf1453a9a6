/** Around the log: header, floating buttons, cards. It shows a `Page`, and calls it; it knows nothing else. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { Address } from "./address.js";
import type { Copying } from "./copying.js";
import type { Finder } from "./finder.js";
import type { Action } from "./keys.js";
import type { Log } from "./log.js";
import type { Notices } from "./notices.js";
import { clock, date } from "./clock.js";
import { bytes, duration } from "./rows.js";
import type { Settings } from "./settings.js";
import { count, type State } from "./state.js";
import type { View } from "./view.js";

/** What is shown, and what can be done with it. */
export interface Page {
  readonly log: Log;
  readonly view: View;
  /** Null until somebody has searched. */
  readonly finder: Finder | null;
  readonly address: Address;
  readonly notices: Notices;
  readonly settings: Settings;
  readonly state: State;
  readonly name: string;
  readonly title: string;
  /** What the log is saved as. */
  readonly fileName: string;
  /** The address of the log itself. */
  raw(query?: Record<string, string>): string;
  /** The address of the list in which the log is; null: nothing that is known here opens it. */
  readonly list: string | null;
  /** How many problems there are; nothing until some are known. */
  problemCounts(): unknown;
  /** Lines that have come since the view was paused. */
  readonly fresh: number;
  /** Whether a token has been typed in already. */
  readonly tried: boolean;
  act(what: Action): void;
  copy(act: (copying: Copying) => unknown): void;
  set(change: Partial<Settings>): void;
  changeTheme(): void;
  unlock(event: Event): void;
  /** Take the first segment of the address for a token that opens nothing. */
  presume(): void;
  leaving(event: Event): void;
  goToTyped(event: Event): void;
}

const ICONS = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M20 20l-4-4",
  wrap: "M4 6h16M4 12h13a3 3 0 0 1 0 6h-4m2-2-2 2 2 2M4 18h5",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  download: "M12 4v11m-5-4 5 5 5-5M5 20h14",
  help: "M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2M12 17.5v.5M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  down: "M12 5v14m-6-6 6 6 6-6",
  up: "M12 19V5m-6 6 6-6 6 6",
  close: "M6 6l12 12M18 6 6 18",
  menu: "M4 7h16M4 12h16M4 17h16",
  live: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6M6 6a8.5 8.5 0 0 0 0 12M18 6a8.5 8.5 0 0 1 0 12",
  paused: "M9 5v14M15 5v14",
  wait: "M7 3h10M7 21h10M8 3c0 6 8 6 8 12v6M16 3c0 6-8 6-8 12v6",
  again: "M20 5v5h-5M20 10a8 8 0 1 0 0 5",
  cut: "M3 12h6M15 12h6M10 8l-1-4M14 20l1-4",
  done: "M5 13l4 4L19 7",
  bad: "M12 4 2.5 20h19zM12 10v4M12 17v.5",
  lock: "M6 11h12v9H6zM9 11V7a3 3 0 0 1 6 0v4",
  none: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M6 6l12 12",
} as const;

export type Icon = keyof typeof ICONS;

export function icon(name: Icon): TemplateResult {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]}></path></svg>`;
}

function facts(page: Page): string {
  const { store, changed, reachable, status, began, now, ended } = page.log;
  if (!page.log.generation) return "";
  const since = (time: number) => duration(Math.max(0, (Date.now() - time) / 1000));
  const elapsed = began === undefined ? "" : duration((now - began) / 1000);
  return [
    status?.attempts?.some(({ attempt, generation }) => attempt === 0 && generation !== status.generation) ? "not the newest of its name" : "",
    bytes(store.size),
    store.numbered ? `${count(store.last)} ${store.last === 1 ? "line" : "lines"}` : !reachable ? "" : `counting lines${page.view.later ? ", then going there" : ""}`,
    began === undefined ? "" : `began ${Date.now() - began > DAY ? new Date(began).toLocaleDateString() : clock(began).slice(0, 8)}`,
    ended && status?.ended ? `took ${elapsed} · ended ${since(now)} ago`
      : elapsed && `running ${elapsed}`,
    status?.state === "aborted" ? (status.reason ?? "") : "",
    ended || changed === null ? "" : Date.now() - changed < 2000 ? "last byte just now" : `last byte ${since(changed)} ago`,
    !ended && status && status.readers > 1 ? `${count(status.readers)} watch` : "",
    ...Object.entries(status?.labels ?? {}).map(([key, value]) => (value ? `${key}: ${value}` : key)),
  ].filter(Boolean).join(" · ");
}

const DAY = 86400000;

const TIMES = { none: "off", clock: "clock", start: "since start", before: "since the line before" } as const;

export function tools(page: Page, words: boolean): TemplateResult {
  const tool = (name: Icon, label: string, act: () => void, pressed?: boolean) => html`<button
    class=${words ? "plain" : "square"} title=${label} aria-label=${label} aria-pressed=${pressed ?? nothing} @click=${act}
    >${icon(name)}${words ? label : nothing}</button>`;
  const { settings } = page;
  return html`
    ${words ? nothing : tool("search", "Search", () => page.act("search"), page.finder?.isOpen ?? false)}
    ${words ? nothing : tool("wrap", "Wrap lines", () => page.act("wrap"), settings.wrap)}
    ${tool("clock", `Times: ${TIMES[settings.time]}`, () => page.act("time"), settings.time !== "none")}
    ${tool("theme", `Theme: ${settings.theme}`, () => page.changeTheme())}
    ${tool("link", "Copy link", () => page.act("copy"))}
    <a class="button ${words ? "plain" : "square"}" href=${page.raw(page.log.ended ? {} : { follow: "0" })} @click=${(event: Event) => page.leaving(event)} download=${page.fileName} title="Download" aria-label="Download"
      >${icon("download")}${words ? "Download" : nothing}</a>
    ${words ? nothing : tool("help", "Help", () => page.act("help"))}`;
}

export function head(page: Page): TemplateResult {
  const { state } = page;
  return html`${page.list ? html`<a class="button square" href=${page.list} title="List of logs" aria-label="List of logs">${icon("menu")}</a>` : nothing}
    <h1 title=${page.name}>${page.title}</h1>
    <span class="state ${state.tone} ${state.icon}">${icon(state.icon)}${state.text}</span>
    ${page.log.connection.kind === "reconnecting" ? html`<button class="plain" @click=${() => page.log.retry()}>Retry now</button>` : nothing}
    ${page.problemCounts()}
    <span class="facts" title=${page.log.began === undefined ? nothing : `Began ${date(page.log.began)}`}>${facts(page)}</span>
    <span class="tools">${tools(page, false)}</span>`;
}

/** Whether there may be a card or a banner. */
export function hasCard({ connection, locked, naming, store }: Log): boolean {
  return locked !== null || naming.presumed !== null || !/opening|following|ended|resting|reconnecting/.test(connection.kind) || (store.size === 0 && /following|ended/.test(connection.kind));
}

export function foot(page: Page): TemplateResult {
  const live = !page.log.ended;
  const label = !live ? "End" : page.fresh ? `${count(page.fresh)} new` : "Live";
  const tool = (name: Icon, label: string, act: () => void, pressed: boolean) =>
    html`<button aria-pressed=${pressed} @click=${act}>${icon(name)}${label}</button>`;
  return html`${tool("search", "Search", () => page.act("search"), page.finder?.isOpen ?? false)}
    ${tool(live ? "live" : "down", label, () => page.act("end"), page.view.following)}
    ${tool("wrap", "Wrap", () => page.act("wrap"), page.settings.wrap)}
    <button aria-haspopup="dialog" @click=${() => page.act("help")}>${icon("menu")}Menu</button>`;
}

export function float(page: Page): TemplateResult {
  const { marked, following } = page.view;
  const lines = marked && (marked.from === marked.to ? `Line ${count(marked.from)}` : `${count(marked.to - marked.from + 1)} lines`);
  const away = !following && page.log.store.last > 0 && page.log.connection.kind !== "replaced";
  return html`${marked && page.log.store.numbered ? html`<span class="chip" role="group" aria-label="Marked lines">${lines}
      <button @click=${() => page.copy((copying) => copying.marked(false))}>Copy</button><button @click=${() => page.copy((copying) => copying.marked(true))} title="With escape sequences">Raw</button>
      <button @click=${() => page.act("copy")}>Link</button>
      <button class="square" aria-label="Unmark" @click=${() => page.address.mark(null)}>${icon("close")}</button></span>` : nothing}
    ${page.notices.current ? html`<span class="chip">${page.notices.current.text}${page.notices.current.act
      ? html`<button @click=${page.notices.current.act}>${page.notices.current.label}</button>` : html`&nbsp;&nbsp;`}</span>` : nothing}
    ${away ? html`<button class="main" @click=${() => page.act("end")}>${icon("down")}${page.log.ended ? "End" : "Live"}${
      page.fresh ? ` · ${count(page.fresh)} new` : ""}</button>` : nothing}`;
}
