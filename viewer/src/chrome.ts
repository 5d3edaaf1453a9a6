/** Around the log: header, floating buttons, cards. It shows a `Page`, and calls it; it knows nothing else. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { Address } from "./address.js";
import type { Api } from "./api.js";
import type { Copying } from "./copying.js";
import type { Finder } from "./finder.js";
import { type Icon, icon } from "./icons.js";
import type { Jump } from "./jump.js";
import type { Action } from "./keys.js";
import type { Log } from "./log.js";
import type { Notices } from "./notices.js";
import { clock, date } from "./clock.js";
import { bytes, duration } from "./rows.js";
import type { Scripts } from "./scripts.js";
import { type Settings, TIMES } from "./settings.js";
import { count, type State } from "./state.js";
import type { View } from "./view.js";

/** What is shown, and what can be done with it. */
export interface Page {
  readonly api: Api;
  readonly log: Log;
  readonly view: View;
  /** Null until somebody has searched. */
  readonly finder: Finder | null;
  readonly address: Address;
  /** Null until somebody has gone to a line. */
  jump: Jump | null;
  readonly notices: Notices;
  readonly settings: Settings;
  readonly state: State;
  readonly name: string;
  readonly title: string;
  /** What the log is saved as. */
  readonly fileName: string;
  /** The address of the log itself. */
  raw(query?: Record<string, string>): string;
  /** The address of what is shown of it by now: all of it, or the lines that a filter lets through. */
  readonly download: string;
  /** The address of the list in which the log is; null: nothing that is known here opens it. */
  readonly list: string | null;
  /** How many problems there are; nothing until some are known. */
  problemCounts(): unknown;
  /** What can be done with the lines that are marked; nothing if none are. */
  markedLines(): unknown;
  /** Lines that have come since the view was paused. */
  readonly fresh: number;
  /** Whether a token has been typed in already. */
  tried: boolean;
  readonly scripts: Scripts;
  readonly isDark: boolean;
  /** Draw the page with the next frame. */
  readonly redraw: () => void;
  act(what: Action): void;
  copy(act: (copying: Copying) => unknown): void;
  set(change: Partial<Settings>): void;
  changeTheme(): void;
  /** Print; not there before the log is. */
  print?: () => void;
  leaving(event: Event): void;
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
    <a class="button ${words ? "plain" : "square"}" href=${page.download} @click=${(event: Event) => page.leaving(event)} download=${page.fileName} title="Download" aria-label="Download"
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
  const away = !page.view.following && page.log.store.last > 0 && page.log.connection.kind !== "replaced";
  return html`${page.markedLines()}
    ${page.notices.current ? html`<span class="chip">${page.notices.current.text}${page.notices.current.act
      ? html`<button @click=${page.notices.current.act}>${page.notices.current.label}</button>` : html`&nbsp;&nbsp;`}</span>` : nothing}
    ${away ? html`<button class="main" @click=${() => page.act("end")}>${icon("down")}${page.log.ended ? "End" : "Live"}${
      page.fresh ? ` · ${count(page.fresh)} new` : ""}</button>` : nothing}`;
}
