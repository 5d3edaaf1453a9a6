/** All around the lines of several logs: header, heads of panes, cards, help. It shows a `Page`, and calls it. */

import { html, nothing, type TemplateResult } from "lit-html";
import { drawn, type Icon, icon } from "../icons.js";
import { write as fragment } from "../fragment.js";
import { stateOf } from "../list/connection.js";
import { nameOf } from "../keynames.js";
import type { Naming } from "../list/naming.js";
import type { Tone } from "../list/signs.js";
import type { Connection } from "../list/watch.js";
import { MERGED, SIDE, TOGETHER, UP } from "../moreicons.js";
import type { Notices } from "../notices.js";
import { bytes } from "../rows.js";
import { type Settings, TIMES } from "../settings.js";
import { count, isExpired } from "../state.js";
import type { Form } from "./address.js";
import { type Action, KEYS } from "./keys.js";
import type { Marking } from "./marking.js";
import { hue } from "./pane.js";
import type { Problems } from "./problems.js";
import type { Source } from "./source.js";

export interface Page {
  readonly form: Form;
  readonly naming: Naming;
  readonly notices: Notices;
  readonly settings: Settings;
  readonly connection: Connection;
  readonly sources: readonly Source[];
  readonly following: boolean;
  /** Whether logs side by side are scrolled together. */
  readonly together: boolean;
  /** Whether the search bar is there. */
  readonly isFinding: boolean;
  /** The address of the same logs in the other form; null: there are too many. */
  readonly other: string | null;
  /** The address of the list from which these logs are. */
  readonly list: string;
  readonly marking: Marking;
  readonly problems: Problems;
  title(source: Source): string;
  /** The address of a log's own page. */
  address(source: Source): string;
  act(what: Action): void;
  set(change: Partial<Settings>): void;
  changeTheme(): void;
  retry(): void;
  unlock(event: Event): void;
}

const stated = ({ icon: name, text, tone }: { icon: Icon; text: string; tone: Tone }) => html`<span class="state ${tone} ${name}">${icon(name)}${text}</span>`;

export function titleOf({ sources, form }: Page): string {
  return `${count(sources.length)} ${sources.length === 1 ? "log" : "logs"} ${form === "side" ? "side by side" : "merged"}`;
}

function tools(page: Page): TemplateResult {
  const { settings } = page;
  const tool = (sign: TemplateResult, label: string, what: Action, pressed: boolean) => html`<button class="square" title=${label} aria-label=${label}
    aria-pressed=${pressed} @click=${() => page.act(what)}>${sign}</button>`;
  const { form } = page;
  return html`${tool(icon("search"), "Search", "search", page.isFinding)}${tool(icon("live"), "Follow", "follow", page.following)}
    ${tool(icon("wrap"), "Wrap long lines", "wrap", settings.wrap)}
    ${tool(icon("clock"), `Times: ${TIMES[settings.time]}`, "time", settings.time !== "none")}
    ${form === "merged" || page.sources.length < 2 ? nothing : tool(drawn(TOGETHER), "Scroll together", "together", page.together)}
    ${page.other === null ? nothing : html`<a class="button square" href=${page.other} title=${form === "side" ? "Merged by time" : "Side by side"} aria-label=${form === "side" ? "Merged by time" : "Side by side"}>${drawn(form === "side" ? MERGED : SIDE)}</a>`}
    <a class="button square" href=${page.list} title="List of logs" aria-label="List of logs">${drawn(UP)}</a>
    <button class="square" title="Theme: ${settings.theme}" aria-label="Theme: ${settings.theme}" @click=${() => page.changeTheme()}>${icon("theme")}</button>
    <button class="square" title="Help" aria-label="Help" aria-haspopup="dialog" @click=${() => page.act("help")}>${icon("help")}</button>`;
}

export function head(page: Page): TemplateResult {
  return html`<h1>${titleOf(page)}</h1>${stated(stateOf(page.connection))}
    ${page.connection.kind === "reconnecting" ? html`<button class="plain" @click=${() => page.retry()}>Retry now</button>` : nothing}
    <span class="facts"></span><span class="tools">${tools(page)}</span>`;
}

function one(page: Page, source: Source): TemplateResult {
  const { log, trouble, track } = source;
  return html`<a class="title" href=${page.address(source)} title=${source.name}>${page.title(source)}</a>${stated(source.state)}${page.problems.summary(source)}
    <span class="facts">${[log ? bytes(Math.max(log.status.size, track.size)) : "", trouble && `not read: ${trouble}`].filter(Boolean).join(" · ")}</span>`;
}

/** What is above the lines of a pane: its log, or all logs with their colours. */
export function top(page: Page, sources: readonly Source[]): TemplateResult {
  if (page.form === "side") return one(page, sources[0]!);
  return html`<ul class="legend" aria-label="Logs">${sources.map((source) => html`<li class="who-is" .style=${`--hue:${hue(source.at)}`}>${one(page, source)}</li>`)}</ul>`;
}

export function float(page: Page): TemplateResult {
  const { current } = page.notices;
  return html`${marked(page)}${current ? html`<span class="chip">${current.text}&nbsp;&nbsp;</span>` : nothing}
    ${page.following ? nothing : html`<button class="main" @click=${() => page.act("end")}>${icon("down")}${page.sources.every(({ hasEnded }) => hasEnded) ? "End" : "Live"}</button>`}`;
}

/** What can be done with the lines that are marked. */
function marked(page: Page): TemplateResult | typeof nothing {
  const { marking } = page;
  const { lines } = marking;
  if (!lines) return nothing;
  const source = page.sources[lines.log]!;
  const what = lines.from === lines.to ? `Line ${count(lines.from)}` : `${count(lines.to - lines.from + 1)} lines`;
  return html`<span class="chip" role="group" aria-label="Marked lines">${what}${page.sources.length > 1 ? ` of ${page.title(source)}` : ""}
    <button @click=${() => void marking.copy(false)}>Copy</button><button @click=${() => void marking.copy(true)} title="With escape sequences">Raw</button>
    <button @click=${() => page.act("copy")}>Link</button><a class="button" href=${page.address(source) + fragment(lines)} title="On the log’s own page">Open</a>
    <button class="square" aria-label="Unmark" @click=${() => marking.mark(null)}>${icon("close")}</button></span>`;
}

/** Go to the lines whose numbers were typed. */
function goToTyped(page: Page, event: Event): void {
  const typed = new FormData(event.target as HTMLFormElement);
  const [log, from, to] = ["log", "from", "to"].map((name) => Number(typed.get(name) ?? 0)) as [number, number, number];
  (event.target as HTMLFormElement).reset();
  page.marking.go({ log, from, to: Math.max(from, to) });
}

export function goTo(page: Page): TemplateResult {
  return html`<form method="dialog" @submit=${(event: Event) => goToTyped(page, event)}>
    ${page.sources.length > 1 ? html`<select name="log" aria-label="Log">${page.sources.map((source, at) => html`<option value=${at}>${page.title(source)}</option>`)}</select>` : nothing}
    <label for="from">Line</label><input id="from" type="number" min="1" step="1" name="from" required>
    <label for="to">to</label><input id="to" type="number" min="1" step="1" name="to" placeholder="the same">
    <button class="main">Go</button></form>`;
}

export function foot(page: Page): TemplateResult {
  const { settings } = page;
  return html`<button aria-pressed=${page.isFinding} @click=${() => page.act("search")}>${icon("search")}Search</button>
    <button aria-pressed=${page.following} @click=${() => page.act(page.following ? "follow" : "end")}>${icon("live")}Follow</button>
    <button aria-pressed=${settings.wrap} @click=${() => page.act("wrap")}>${icon("wrap")}Wrap</button>
    <button aria-haspopup="dialog" @click=${() => page.act("help")}>${icon("help")}Menu</button>`;
}

export function card(page: Page): TemplateResult | typeof nothing {
  const { connection, naming } = page;
  if (connection.kind === "denied") {
    const expired = isExpired(connection.message);
    return html`<div class="card">${icon("lock")}<h2>${expired ? "This link has expired" : "A token opens these logs"}</h2>
      <p>${naming.tried ? "That token does not, or not any more." : "It is kept in this tab only."}</p>
      <form @submit=${(event: Event) => page.unlock(event)}><input type="password" name="token" aria-label="Token" required autocomplete="off"><button class="main">Open</button></form></div>`;
  }
  if (connection.kind === "refused") return html`<div class="card">${icon("none")}<h2>There are no logs here</h2><p>${connection.message}</p></div>`;
  return nothing;
}

export function help(page: Page): TemplateResult {
  const { settings } = page;
  const act = (label: string, what: Action) => html`<button class="plain" @click=${() => page.act(what)}>${label}</button>`;
  return html`<form method="dialog"><h2>${titleOf(page)}</h2><button class="square" aria-label="Close">${icon("close")}</button></form>
    <div class="more-links">${page.other === null ? nothing : html`<a class="button plain" href=${page.other}>${page.form === "side" ? "Merged by time" : "Side by side"}</a>`}
      <a class="button plain" href=${page.list}>List of logs</a>${page.form === "merged" || page.sources.length < 2 ? nothing : html`<button class="plain" aria-pressed=${page.together} @click=${() => page.act("together")}>Scroll together</button>`}
      <button class="plain" @click=${() => page.act("time")}>Times: ${TIMES[settings.time]}</button><button class="plain" @click=${() => page.changeTheme()}>Theme: ${settings.theme}</button></div>
    <form method="dialog" class="more-links">${act("Problems", "problems")}${act("Problem before", "previousProblem")}${act("Next problem", "nextProblem")}${act("Go to a line", "line")}${act("Copy link", "copy")}</form>
    <dl class="keys">${KEYS.map(([keys, , what]) => html`<div><dt>${keys.map((key) => html`<kbd>${key === " " ? "Space" : nameOf(key)}</kbd>`)}</dt><dd>${what}</dd></div>`)}</dl>
    <label class="choice"><input type="checkbox" .checked=${settings.letters} @change=${() => page.set({ letters: !settings.letters })}>single letters are keys</label>`;
}
