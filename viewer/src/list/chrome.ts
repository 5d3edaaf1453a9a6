/** All around the rows: header, filter, column headings, floating buttons, cards, help. It shows a `Page`, and calls it. */

import { html, nothing, type TemplateResult } from "lit-html";
import { type Icon, icon } from "../icons.js";
import { nameOf } from "../keynames.js";
import type { Notices } from "../notices.js";
import type { Settings } from "../settings.js";
import { type Form, MOST } from "../several/address.js";
import { count, isExpired } from "../state.js";
import { stateOf } from "./connection.js";
import { type Filter, isFiltering, type Sort, SORTS } from "./filter.js";
import { KEYS } from "./keys.js";
import { type Kind, KINDS, type Logs } from "./logs.js";
import { isOfLog, isOfPrefix, type Naming } from "./naming.js";
import { SIGNS, WORDS } from "./signs.js";
import type { Connection } from "./watch.js";

/** What is shown, and what can be done with it. */
export interface Page {
  readonly logs: Logs;
  readonly naming: Naming;
  readonly notices: Notices;
  readonly settings: Settings;
  readonly connection: Connection;
  readonly isFetching: boolean;
  readonly filter: Filter;
  readonly counts: Record<Kind, number>;
  /** The labels that there are, and how many logs have each. */
  readonly offered: readonly (readonly [string, number])[];
  /** How many logs are shown. */
  readonly shown: number;
  readonly selected: ReadonlySet<string>;
  /** The token that was typed in; null if there is none. */
  readonly token: string | null;
  /** Where the first segment of the path is that of one log, which is named behind it: its page. */
  readonly meant: string | null;
  set(change: Partial<Settings>): void;
  changeTheme(): void;
  choose(change: Partial<Filter>): void;
  /** Show all logs. */
  showAll(): void;
  retry(): void;
  older(): void;
  unlock(event: Event): void;
  /** Say which prefix or log a token is of. */
  name(event: Event): void;
  open(): void;
  /** Show the selected logs on one page. */
  several(form: Form): void;
  copy(): void;
  selectNone(): void;
  selectAll(): void;
  help(): void;
  key(event: KeyboardEvent): void;
}

/** `1 log`, `1,234 logs`. */
export function logsIn(number: number): string {
  return `${count(number)} ${number === 1 ? "log" : "logs"}`;
}

export function titleOf(page: Page): string {
  return page.naming.prefix ? `Logs of ${page.naming.prefix}` : "Logs";
}

export function facts(page: Page): string {
  const { all, next } = page.logs;
  if (!all.length) return "";
  const total = next === null ? logsIn(all.length) : `the newest ${logsIn(all.length)}`;
  return isFiltering(page.filter) ? `${count(page.shown)} of ${total}` : total;
}

export function head(page: Page): TemplateResult {
  const { icon: name, text, tone } = stateOf(page.connection);
  return html`<h1>${titleOf(page)}</h1>
    <span class="state ${tone} ${name}">${icon(name)}${text}</span>
    ${page.connection.kind === "reconnecting" ? html`<button class="plain" @click=${() => page.retry()}>Retry now</button>` : nothing}
    <span class="facts">${facts(page)}</span>
    <span class="tools">
      <button class="square" title="Theme: ${page.settings.theme}" aria-label="Theme: ${page.settings.theme}" @click=${() => page.changeTheme()}>${icon("theme")}</button>
      <button class="square" title="Help" aria-label="Help" aria-haspopup="dialog" @click=${() => page.help()}>${icon("help")}</button>
    </span>`;
}

const toggled = <T>(list: readonly T[], one: T) => (list.includes(one) ? list.filter((other) => other !== one) : [...list, one]);

export function filterBar(page: Page): TemplateResult {
  const { filter, counts } = page;
  const kind = (name: Kind) => html`<button class="kind-${name}" aria-pressed=${filter.kinds.includes(name)}
    @click=${() => page.choose({ kinds: toggled(filter.kinds, name) })}>${icon(SIGNS[name])}${WORDS[name]} <span class="count">${count(counts[name])}</span></button>`;
  return html`<input type="text" id="words" aria-label="Filter by name, title or label" placeholder="Filter by name, title or label" spellcheck="false"
      autocomplete="off" autocapitalize="off" enterkeyhint="done" @keydown=${(event: KeyboardEvent) => page.key(event)}
      @input=${(event: Event) => page.choose({ text: (event.target as HTMLInputElement).value })}>
    <span class="kinds" role="group" aria-label="States">${KINDS.map(kind)}</span>
    <span class="choices">
    <select id="labels" aria-label="Only logs with a label" @change=${(event: Event) => labelled(page, event)}>
      <option value="">Label…</option>${page.offered.map(([label, number]) => html`<option value=${label}>${label} (${count(number)})</option>`)}</select>
    <select id="sort" aria-label="Order" @change=${(event: Event) => page.choose({ sort: (event.target as HTMLSelectElement).value as Sort, turned: false })}>
      ${SORTS.map((sort) => html`<option value=${sort} ?selected=${sort === filter.sort}>${ORDERS[sort]}</option>`)}</select>
    ${filter.labels.map((label) => html`<button class="label" title="Remove this filter" aria-label="Remove the filter ${label}" @click=${() => page.choose({ labels: toggled(filter.labels, label) })}>${label}${icon("close")}</button>`)}
    ${isFiltering(filter) ? html`<button @click=${() => page.showAll()}>Show all</button>` : nothing}</span>`;
}

function labelled(page: Page, event: Event): void {
  const select = event.target as HTMLSelectElement;
  const label = select.value;
  select.value = "";
  if (label && !page.filter.labels.includes(label)) page.choose({ labels: [...page.filter.labels, label] });
}

const ORDERS: Record<Sort, string> = {
  began: "Newest first", state: "By state", name: "By name", took: "Longest first", size: "Largest first", readers: "Most readers first",
};

const COLUMNS: readonly (readonly [string, Sort | null, string])[] = [
  ["pick", null, ""], ["kind", "state", "State"], ["what", "name", "Log"], ["began", "began", "Began"], ["took", "took", "Took"], ["size", "size", "Size"],
  ["readers", "readers", "Readers"],
];

export function columns(page: Page): TemplateResult {
  const { sort, turned } = page.filter;
  const ascends = (sort === "name" || sort === "state") !== turned;
  return html`<div role="row" class="columns" aria-rowindex="1">${COLUMNS.map(([name, by, text]) => by
    ? html`<span role="columnheader" class=${name} aria-sort=${by !== sort ? nothing : ascends ? "ascending" : "descending"}><button
        @click=${() => page.choose({ sort: by, turned: by === sort && !turned })}>${text}${by !== sort ? nothing : ascends ? " ↑" : " ↓"}</button></span>`
    : html`<span role="columnheader" class=${name}><input type="checkbox" aria-label="Select all that are shown" .checked=${page.selected.size > 0}
        @change=${() => (page.selected.size ? page.selectNone() : page.selectAll())}></span>`)}</div>`;
}

const FORMS: readonly (readonly [Form, string])[] = [["side", "Side by side"], ["merged", "Merged"]];

export function float(page: Page): TemplateResult {
  const { size } = page.selected;
  const { current } = page.notices;
  return html`${size ? html`<span class="chip" role="group" aria-label="Selected logs">${logsIn(size)} selected
      <button @click=${() => page.open()}>${size === 1 ? "Open" : "Open in tabs"}</button>
      ${FORMS.map(([form, label]) => (size < 2 || size > MOST[form] ? nothing : html`<button @click=${() => page.several(form)}>${label}</button>`))}
      <button @click=${() => page.copy()}>${size === 1 ? "Copy link" : "Copy links"}</button>
      <button class="square" aria-label="Select none" @click=${() => page.selectNone()}>${icon("close")}</button></span>` : nothing}
    ${current ? html`<span class="chip">${current.text}${current.act ? html`<button @click=${current.act}>${current.label}</button>` : html`&nbsp;&nbsp;`}</span>` : nothing}
    ${page.logs.next !== null ? html`<span class="chip">There are older logs<button ?disabled=${page.isFetching} @click=${() => page.older()}>${page.isFetching ? "Fetching…" : "Fetch 1,000 more"}</button></span>` : nothing}`;
}

export function card(page: Page): TemplateResult | typeof nothing {
  const { connection, logs, naming, token } = page;
  const shown = (name: Icon, title: string, text: unknown, rest: unknown = nothing) => html`<div class="card">${icon(name)}<h2>${title}</h2><p>${text}</p>${rest}</div>`;
  const banner = (text: string, rest: unknown = nothing) => html`<div class="banner"><span>${text}</span>${rest}</div>`;
  const form = () => html`<form @submit=${(event: Event) => page.unlock(event)}><input type="password" name="token" aria-label="Token" required
    autocomplete="off"><button class="main">Open</button></form>`;
  if (connection.kind === "denied") {
    const expired = isExpired(connection.message);
    if (logs.all.length) return banner(`${expired ? "This link has expired." : "The server does not take this token any more."} What you see is what was listed before. A token opens the rest.`, form());
    if (page.meant) return shown("lock", "This is the link of one log", "It does not open a list.", html`<a class="button plain" href=${page.meant}>Open the log</a>`);
    if (naming.tried && token && !naming.segment && (isOfPrefix(token) || isOfLog(token))) {
      const one = isOfLog(token);
      return shown("lock", one ? "This is the token of one log" : "This is the token of a prefix", one ? "What is the log called?" : "Which one? For example builds/42/",
        html`<form @submit=${(event: Event) => page.name(event)}><input type="text" name="name" aria-label=${one ? "Name of the log" : "Prefix"} required autocomplete="off" autocapitalize="off"
          spellcheck="false"><button class="main">Open</button></form>`);
    }
    return shown("lock", expired ? "This link has expired" : "A token opens the list", naming.tried ? "That token does not, or not any more." : "It is kept in this tab only.", form());
  }
  if (connection.kind === "refused") return shown("none", "There is no list here", connection.message);
  if (naming.presumed !== null) return banner(`“${naming.presumed}” in the address opens nothing, and was taken for a token.`);
  if (!logs.listed) return nothing;
  if (!logs.all.length) return shown("wait", "No logs yet", "They are listed here as they begin.");
  if (!page.shown) return shown("none", "No log is like that", `None of ${logsIn(logs.all.length)} passes the filter.`, html`<button class="plain" @click=${() => page.showAll()}>Show all</button>`);
  return nothing;
}

export function help(page: Page): TemplateResult {
  const { settings } = page;
  return html`<form method="dialog"><h2>${titleOf(page)}</h2><button class="square" aria-label="Close">${icon("close")}</button></form>
    <dl class="keys">${KEYS.map(([keys, , what]) => html`<div><dt>${keys.map((key) => html`<kbd>${nameOf(key)}</kbd>`)}</dt><dd>${what}</dd></div>`)}</dl>
    <label class="choice"><input type="checkbox" .checked=${settings.letters} @change=${() => page.set({ letters: !settings.letters })}>single letters are keys</label>`;
}
