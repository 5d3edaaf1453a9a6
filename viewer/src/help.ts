/** The dialogs: the help, which is the menu of a phone, too, and "go to a line". Loaded when one of them is opened. */

import { html, render, type TemplateResult } from "lit-html";
import { others } from "./beside.js";
export { go } from "./beside.js";
import { type Page, tools } from "./chrome.js";
import { element } from "./dom.js";
import { Jump } from "./jump.js";
import { icon } from "./icons.js";
import { nameOf } from "./keynames.js";
import { type Action, KEYS } from "./keys.js";

const WHAT: Record<Action, string> = {
  down: "one line down",
  up: "one line up",
  pageDown: "one page down",
  pageUp: "one page up",
  top: "to the first line",
  end: "to the end, and follow it",
  follow: "follow, or pause",
  line: "go to a line",
  search: "search",
  only: "only lines that match, or all",
  next: "next hit",
  previous: "hit before",
  nextProblem: "next problem",
  previousProblem: "problem before",
  problems: "list the problems, or do not",
  nextGap: "next time without output",
  previousGap: "time without output before",
  compare: "list the lines that are new since the last good run, or do not",
  fold: "fold or unfold the group",
  foldAll: "fold or unfold all groups",
  wrap: "wrap long lines, or not",
  open: "show all of a line: fields, what it wrote over, its end; or fold it",
  raw: "lines as they are in the log, or as what they mean",
  time: "times: off, clock, since start, since the line before",
  copy: "copy a link to this place",
  logBefore: "the log before, in the list",
  nextLog: "the next log of the list",
  leave: "close what is open, and go back to where you were",
  help: "this help",
};

export function help(page: Page): TemplateResult {
  const choice = (name: "letters" | "aloud", label: string) => html`<label class="choice"><input type="checkbox"
    .checked=${page.settings[name]} @change=${() => page.set({ [name]: !page.settings[name] })}>${label}</label>`;
  const jump = (label: string, what: Action) => html`<button class="plain" @click=${() => page.act(what)}>${label}</button>`;
  return html`<form method="dialog"><h2>${page.name || "Log"}</h2><button class="square" aria-label="Close">${icon("close")}</button></form>
    <div class="menu">${tools(page, true)}</div>
    <form method="dialog" class="more-links"><a class="button plain" href=${page.raw({ tail: "2000", follow: "0" })} @click=${(event: Event) => page.leaving(event)} target="_blank" rel="noopener">The last 2,000 lines as plain text</a>
      <button class="plain" @click=${() => page.print?.()}>Print</button>${jump("Go to a line", "line")}${jump("Problems", "problems")}${jump("Problem before", "previousProblem")}${jump("Next problem", "nextProblem")}${jump("Silence before", "previousGap")}${jump("Next silence", "nextGap")}${jump("New since the last good run", "compare")}${jump("Fold all", "foldAll")}${jump(page.settings.raw ? "Lines as what they mean" : "Lines as they are in the log", "raw")}</form>
    ${others(page, () => help(page))}
    <dl class="keys">${KEYS.map(([keys, action]) => html`<div><dt>${keys.map((key) => html`<kbd>${nameOf(key)}</kbd>`)}</dt><dd>${WHAT[action]}</dd></div>`)}<div><dt><kbd>Ctrl P</kbd></dt><dd>print what is selected, or the last 2,000 lines</dd></div></dl>
    ${choice("letters", "single letters are keys")}${choice("aloud", "new lines are read out by screen readers, while there are few")}`;
}

export function open(page: Page, id: "help" | "line"): void {
  for (const other of document.querySelectorAll("dialog")) other.close();
  const dialog = element(id) as HTMLDialogElement;
  render((id === "help" ? help : goTo)(page), dialog);
  dialog.showModal();
}

/** Go to the line whose number was typed, or to the lines. */
function goToTyped(page: Page, event: Event): void {
  const { log, view, address } = page;
  const form = event.target as HTMLFormElement;
  const [asked, to] = [...form.querySelectorAll("input")].map(({ value }) => Number(value)) as [number, number];
  const line = Math.min(asked, log.store.last);
  form.reset();
  if (!(line >= 1)) return;
  (page.jump ??= new Jump(view, address, () => page.finder)).go();
  address.missing(asked);
  address.mark({ from: line, to: Math.max(line, Math.min(to, log.store.last)) });
  view.toLine(line);
  element("surface").focus();
}

export function goTo(page: Page): TemplateResult {
  return html`<form method="dialog" @submit=${(event: Event) => goToTyped(page, event)}><label for="number">Line</label>
    <input id="number" type="number" min="1" step="1" name="number" required>
    <label for="last">to</label><input id="last" type="number" min="1" step="1" placeholder="the same"><button class="main">Go</button></form>`;
}
