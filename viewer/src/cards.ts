/** What stands over the log, or in its place: cards and banners. Loaded when there is one to be shown. */

import { html, nothing, type TemplateResult } from "lit-html";
import { Api } from "./api.js";
import type { Page } from "./chrome.js";
import { type Icon, icon } from "./icons.js";
import { isExpired } from "./state.js";

export function card(page: Page): TemplateResult | typeof nothing {
  const { connection, status, store, generation, locked, naming } = page.log;
  const shown = (name: Icon, title: string, text: unknown, rest: unknown = nothing) =>
    html`<div class="card">${icon(name)}<h2>${title}</h2><p>${text}</p>${rest}</div>`;
  const banner = (text: string, rest: unknown = nothing) => html`<div class="banner"><span>${text}</span>${rest}</div>`;
  const form = () => html`<form @submit=${(event: Event) => unlock(page, event)}><input type="password" name="token" aria-label="Token" required
    autocomplete="off"><button class="main">Open</button></form>`;
  const expired = isExpired(locked ?? ("message" in connection ? connection.message : ""));
  switch (connection.kind) {
    case "waiting":
      return shown("wait", "This log has not begun", "It opens here as soon as its first byte comes.", elsewhere(page));
    case "denied":
      if (generation) break;
      return shown("lock", expired ? "This link has expired" : "A token opens this log",
        page.tried ? "That token does not, or not any more." : "It is kept in this tab only.", form());
    case "refused":
      return shown("none", "There is no log here", connection.message);
    case "gone":
      return banner("This log was removed. What you see is what was read of it.");
    case "replaced":
      keep(generation);
      return banner(`A newer log has taken this one’s place. ${kept ? "This one is kept." : "What you see is what was read of it."}`,
        html`<button class="main" @click=${() => reload()}>Show the new one</button>${
          kept ? html`<a class="button plain" href=${`?generation=${generation}`}>Stay with this one</a>` : nothing}`);
    default:
  }
  if (locked !== null) {
    const what = expired ? "This link has expired." : "The server does not take this token any more.";
    return banner(`${what} ${connection.kind === "following" ? "What comes is still shown." : "What you see is what was read of it."} A token opens the rest.`, form());
  }
  if (naming.presumed) {
    const { segment, path, address } = naming.presumed;
    return banner(`“${segment}” in the address opens nothing, and was taken for a token. This is ${page.name ? `“${page.name}”` : "the log without a name"}.`,
      html`<a class="button plain" href=${address}>Wait for “${path}”</a>`);
  }
  if (store.size === 0 && connection.kind === "following") return shown("live", "Nothing yet", "The log has begun, and has no bytes so far.");
  if (store.size === 0 && status && page.log.ended) return shown("done", "An empty log", status.reason ?? "It ended without a byte.");
  return nothing;
}

/** Whether the log that was replaced can still be had, once the server has said so. */
let kept = false;
let asked = false;

function keep(generation: string): void {
  if (asked) return;
  asked = true;
  void new Api(location.pathname, `?generation=${generation}`).status().then(() => (kept = true), () => {});
}

/** Where the address begins with what may be a token of another server, or a name. */
function elsewhere(page: Page): TemplateResult | typeof nothing {
  const { parts, canPresume } = page.log.naming;
  if (!parts || !canPresume) return nothing;
  return html`<button class="plain" @click=${() => presume(page)}>“${parts[0]}” was a token: look for ${parts[1] ? `“${parts[1]}”` : "the log without a name"}</button>`;
}

/** Open the page anew, without a place in a log that may be another one by now. */
function reload(): void {
  history.replaceState(null, "", location.pathname + location.search);
  location.reload();
}

function unlock(page: Page, event: Event): void {
  event.preventDefault();
  const field = (event.target as HTMLFormElement).elements.namedItem("token") as HTMLInputElement;
  page.tried = true;
  page.log.unlock(field.value.trim());
  field.value = "";
}

/** Take the first segment of the address for a token that opens nothing. */
function presume({ log }: Page): void {
  log.naming.presuming = true;
  log.retry();
}
