/** The bar in which the user searches. */

import { html, nothing, type TemplateResult } from "lit-html";
import { drawn, icon } from "./icons.js";
import type { Finder } from "./finder.js";
import { UP } from "./moreicons.js";

/** The search bar. Nothing in it moves when results come: it may be clicked just then. */
export function searchBar(finder: Finder): TemplateResult {
  const { search } = finder;
  const { query } = search;
  const toggle = (text: string, label: string, on: boolean, change: object) => html`<button class="square text" title=${label}
    aria-label=${label} aria-pressed=${on} @click=${() => finder.find({ ...query, ...change, text: finder.text })}>${text}</button>`;
  return html`<input type="text" aria-label="Search the whole log" placeholder="Search the whole log" spellcheck="false"
      autocomplete="off" autocapitalize="off" enterkeyhint="search"
      @keydown=${(event: KeyboardEvent) => finder.key(event)} @input=${() => finder.typed()}>
    ${toggle("Aa", "Match case", query.matchCase, { matchCase: !query.matchCase })}
    ${toggle(".*", "Regular expression", query.regex, { regex: !query.regex })}
    <button aria-pressed=${query.only ?? false} title="Show only lines that match (Ctrl Enter)" @click=${() => finder.toggleOnly()}>Only</button>
    ${query.only ? html`${toggle("≠", "Lines that do not match", query.invert ?? false, { invert: !query.invert })}
      <select aria-label="Lines around each" title="Lines around each" @change=${(event: Event) => finder.find({ ...query, text: finder.text, context: Number((event.target as HTMLSelectElement).value) })}
        >${[...new Set([0, 1, 3, 10, query.context ?? 0])].map((lines) => html`<option value=${lines} ?selected=${lines === (query.context ?? 0)}>± ${lines}</option>`)}</select>` : nothing}
    <button class="square" title="Hit before" aria-label="Hit before" @click=${() => finder.hop(false)}>${drawn(UP)}</button>
    <button class="square" title="Next hit" aria-label="Next hit" @click=${() => finder.hop(true)}>${icon("down")}</button>
    <button class=${search.progress === null ? "idle" : ""} @click=${() => search.stop()}>Stop</button>
    <span class="count ${search.error ? "bad" : ""}">${finder.summary}</span>
    <button class="square" title="Close search" aria-label="Close search" @click=${() => finder.close()}>${icon("close")}</button>`;
}
