/** All around the log: header, search bar, floating buttons, cards, help. It shows an `App`, and calls it; it knows nothing else. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { App } from "./main.js";
import { type Action, KEYS, nameOf } from "./keys.js";
import { bytes, duration } from "./rows.js";

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
  live: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6M6 6a8.500 8.500 0 0 0 0 12M18 6a8.500 8.500 0 0 1 0 12",
  paused: "M9 5v14M15 5v14",
  wait: "M7 3h10M7 21h10M8 3c0 6 8 6 8 12v6M16 3c0 6-8 6-8 12v6",
  again: "M20 5v5h-5M20 10a8 8 0 1 0 0 5",
  cut: "M3 12h6M15 12h6M10 8l-1-4M14 20l1-4",
  done: "M5 13l4 4L19 7",
  bad: "M12 4 2.500 20h19zM12 10v4M12 17v.5",
  lock: "M6 11h12v9H6zM9 11V7a3 3 0 0 1 6 0v4",
  none: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M6 6l12 12",
} as const;

type Icon = keyof typeof ICONS;

function icon(name: Icon): TemplateResult {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]}></path></svg>`;
}

interface State {
  readonly icon: Icon;
  readonly text: string;
  readonly tone: "good" | "warn" | "bad" | "quiet";
}

/** What is the case, in words, with a sign: never by colour alone. */
export function stateOf(app: App): State {
  const { connection, status } = app.log;
  switch (connection.kind) {
    case "opening": return { icon: "wait", text: "Opening", tone: "quiet" };
    case "waiting": return { icon: "wait", text: "Waiting for the log", tone: "quiet" };
    case "denied": return { icon: "lock", text: "Token needed", tone: "warn" };
    case "refused": return { icon: "none", text: "Not here", tone: "bad" };
    case "gone": return { icon: "none", text: "Removed", tone: "bad" };
    case "replaced": return { icon: "again", text: "Replaced", tone: "warn" };
    case "reconnecting": {
      const seconds = Math.max(0, Math.ceil((connection.until - Date.now()) / 1000));
      return { icon: "again", text: seconds ? `Reconnecting in ${seconds} s` : "Reconnecting", tone: "warn" };
    }
    default:
  }
  const code = status?.exit_code ?? null;
  if (status?.state === "aborted") return { icon: "cut", text: `Aborted at byte ${status.size.toLocaleString("en")}`, tone: "bad" };
  if (status?.state === "complete" && code) return { icon: "bad", text: `Ended, exit ${code}`, tone: "bad" };
  if (status?.state === "complete") return { icon: "done", text: code === 0 ? "Ended, exit 0" : "Ended", tone: "good" };
  if (connection.kind === "resting") return { icon: "paused", text: "Resting", tone: "quiet" };
  if (status?.state === "interrupted") return { icon: "cut", text: "Writer disconnected", tone: "warn" };
  if (!app.view.following) return { icon: "paused", text: app.fresh ? `Paused, ${count(app.fresh)} new` : "Paused", tone: "quiet" };
  return { icon: "live", text: "Live", tone: "good" };
}

export function count(lines: number): string {
  return lines.toLocaleString("en");
}

function facts(app: App): string {
  const { store, changed, connection, status } = app.log;
  if (connection.kind === "denied" || connection.kind === "waiting" || connection.kind === "opening") return "";
  const since = (time: number) => Math.max(0, (Date.now() - time) / 1000);
  const ended = app.log.ended && status?.ended ? Date.parse(status.ended) : null;
  const age = changed === null ? null : since(changed);
  return [
    bytes(store.size),
    store.numbered ? `${count(store.last)} ${store.last === 1 ? "line" : "lines"}` : app.view.later ? "counting lines, then going there" : "counting lines",
    ended ? `took ${duration((ended - Date.parse(status!.began)) / 1000)} · ended ${duration(since(ended))} ago`
      : age === null ? "" : age < 2 ? "last byte just now" : `last byte ${duration(age)} ago`,
  ].filter(Boolean).join(" · ");
}

const TIMES = { none: "off", local: "local", utc: "UTC", ago: "age" } as const;

function tools(app: App, words: boolean): TemplateResult {
  const tool = (name: Icon, label: string, act: () => void, pressed?: boolean) => html`<button
    class=${words ? "plain" : "square"} title=${label} aria-label=${label} aria-pressed=${pressed ?? nothing} @click=${act}
    >${icon(name)}${words ? label : nothing}</button>`;
  const { settings } = app;
  return html`
    ${words ? nothing : tool("search", "Search", () => app.act("search"), app.searching)}
    ${words ? nothing : tool("wrap", "Wrap lines", () => app.act("wrap"), settings.wrap)}
    ${tool("clock", `Times: ${TIMES[settings.time]}`, () => app.act("time"), settings.time !== "none")}
    ${tool("theme", `Theme: ${settings.theme}`, () => app.changeTheme())}
    ${tool("link", "Copy link", () => app.act("copy"))}
    <a class="button ${words ? "plain" : "square"}" href=${app.raw} download=${app.fileName} title="Download" aria-label="Download"
      >${icon("download")}${words ? "Download" : nothing}</a>
    ${words ? nothing : tool("help", "Help", () => app.act("help"))}`;
}

export function head(app: App): TemplateResult {
  const state = stateOf(app);
  return html`<h1 title=${app.name}>${app.title}</h1>
    <span class="state ${state.tone} ${state.icon}">${icon(state.icon)}${state.text}</span>
    ${app.log.connection.kind === "reconnecting" ? html`<button class="plain" @click=${() => app.log.retry()}>Retry now</button>` : nothing}
    <span class="facts">${facts(app)}</span>
    <span class="tools">${tools(app, false)}</span>`;
}

export function foot(app: App): TemplateResult {
  const live = !app.log.ended;
  const label = !live ? "End" : app.view.following ? "Live" : app.fresh ? `${count(app.fresh)} new` : "Live";
  const tool = (name: Icon, label: string, act: () => void, pressed: boolean) =>
    html`<button aria-pressed=${pressed} @click=${act}>${icon(name)}${label}</button>`;
  return html`${tool("search", "Search", () => app.act("search"), app.searching)}
    ${tool(live ? "live" : "down", label, () => app.act("end"), app.view.following)}
    ${tool("wrap", "Wrap", () => app.act("wrap"), app.settings.wrap)}
    <button aria-haspopup="dialog" @click=${() => app.act("help")}>${icon("menu")}Menu</button>`;
}

export function searchBar(app: App): TemplateResult {
  const { search } = app;
  const { query } = search;
  const toggle = (text: string, label: string, on: boolean, change: object) => html`<button class="square text" title=${label}
    aria-label=${label} aria-pressed=${on} @click=${() => app.find({ ...query, ...change, text: app.searchText })}>${text}</button>`;
  return html`<input type="text" aria-label="Search the whole log" placeholder="Search the whole log" spellcheck="false"
      autocomplete="off" autocapitalize="off" enterkeyhint="search"
      @keydown=${(event: KeyboardEvent) => app.searchKey(event)} @input=${() => app.searchTyped()}>
    ${toggle("Aa", "Match case", query.matchCase, { matchCase: !query.matchCase })}
    ${toggle(".*", "Regular expression", query.regex, { regex: !query.regex })}
    <button class="square" title="Hit before" aria-label="Hit before" @click=${() => app.act("previous")}>${icon("up")}</button>
    <button class="square" title="Next hit" aria-label="Next hit" @click=${() => app.act("next")}>${icon("down")}</button>
    ${search.progress !== null ? html`<button @click=${() => search.stop()}>Stop</button>` : nothing}
    <span class="count ${search.error ? "bad" : ""}">${search.active ? search.summary : ""}</span>
    <button class="square" title="Close search" aria-label="Close search" @click=${() => app.closeSearch()}>${icon("close")}</button>`;
}

export function float(app: App): TemplateResult {
  const { marked, following } = app.view;
  const lines = marked && (marked.from === marked.to ? `Line ${count(marked.from)}` : `${count(marked.to - marked.from + 1)} lines`);
  const away = !following && app.log.store.last > 0 && app.log.connection.kind !== "replaced";
  return html`${marked && app.log.store.numbered ? html`<span class="chip" role="group" aria-label="Marked lines">${lines}
      <button @click=${() => app.copyLines(false)}>Copy</button><button @click=${() => app.copyLines(true)} title="With escape sequences">Raw</button>
      <button @click=${() => app.act("copy")}>Link</button>
      <button class="square" aria-label="Unmark" @click=${() => app.mark(null)}>${icon("close")}</button></span>` : nothing}
    ${app.notice ? html`<span class="chip">${app.notice.text}${app.notice.act
      ? html`<button @click=${app.notice.act}>${app.notice.label}</button>` : html`&nbsp;&nbsp;`}</span>` : nothing}
    ${away ? html`<button class="main" @click=${() => app.act("end")}>${icon("down")}${app.log.ended ? "End" : "Live"}${
      app.fresh ? ` · ${count(app.fresh)} new` : ""}</button>` : nothing}`;
}

export function card(app: App): TemplateResult | typeof nothing {
  const { connection, status, store } = app.log;
  const shown = (name: Icon, title: string, text: unknown, rest: unknown = nothing) =>
    html`<div class="card">${icon(name)}<h2>${title}</h2><p>${text}</p>${rest}</div>`;
  switch (connection.kind) {
    case "waiting":
      return shown("wait", "This log has not begun", "It opens here as soon as its first byte comes.");
    case "denied":
      return shown("lock", "A token opens this log", app.tried ? "That token does not. It may have expired." : "It is kept in this tab only.",
        html`<form @submit=${(event: Event) => app.unlock(event)}><input type="password" name="token" aria-label="Token" required
          autocomplete="off"><button class="main">Open</button></form>`);
    case "refused":
      return shown("none", "There is no log here", connection.message);
    case "gone":
      return html`<div class="banner"><span>This log was removed. What you see is what was read of it.</span></div>`;
    case "replaced":
      return html`<div class="banner"><span>A newer log has taken this one’s place.</span><button class="main" @click=${() => app.reload()}>Show it</button></div>`;
    default:
  }
  if (store.size === 0 && connection.kind === "following") return shown("live", "Nothing yet", "The log has begun, and has no bytes so far.");
  if (store.size === 0 && status && app.log.ended) return shown("done", "An empty log", status.reason ?? "It ended without a byte.");
  return nothing;
}

export function help(app: App): TemplateResult {
  const choice = (name: "letters" | "aloud", label: string) => html`<label class="choice"><input type="checkbox"
    .checked=${app.settings[name]} @change=${() => app.set({ [name]: !app.settings[name] })}>${label}</label>`;
  const jump = (label: string, what: Action) => html`<button class="plain" @click=${() => app.act(what)}>${label}</button>`;
  return html`<form method="dialog"><h2 id="help-title">${app.name || "Log"}</h2><button class="square" aria-label="Close">${icon("close")}</button></form>
    <div class="menu">${tools(app, true)}</div>
    <form method="dialog" class="more-links"><a class="button plain" href="${app.raw}?tail=2000&follow=0" target="_blank" rel="noopener">The last 2,000 lines as plain text</a>
      ${jump("Go to a line", "line")}${jump("Error before", "previousError")}${jump("Next error", "nextError")}${jump("Fold all", "foldAll")}</form>
    <dl class="keys">${KEYS.map(([keys, , what]) => html`<div><dt>${keys.map((key) => html`<kbd>${nameOf(key)}</kbd>`)}</dt><dd>${what}</dd></div>`)}</dl>
    ${choice("letters", "single letters are keys")}${choice("aloud", "new lines are read out by screen readers, while there are few")}`;
}

export function goTo(app: App): TemplateResult {
  return html`<form method="dialog" @submit=${(event: Event) => app.goToTyped(event)}><label for="number">Line</label>
    <input id="number" type="number" min="1" step="1" name="number" required><button class="main">Go</button></form>`;
}
