/** What is beside a log: the logs in front of it and behind it in the list, and the other logs of its name. Loaded with the help. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { Api, type Attempt } from "./api.js";
import type { Page } from "./chrome.js";
import { element } from "./dom.js";
import { addressIn, type Beside, besideIn, ORDER } from "./order.js";
import { duration } from "./rows.js";

/** Logs of the list that are looked at where one did not come from it. */
const MOST = "1000";

/** Which logs are beside this one: as the list showed them that one came from, or, without it, as they began. */
async function besideOf(page: Page): Promise<Beside> {
  const known = besideIn(sessionStorage.getItem(ORDER), page.name);
  if (known || !page.list) return known ?? [null, null];
  const answer = await new Api(page.list).get("logs", { as: "json", limit: MOST });
  const { logs } = (await answer.json()) as { logs: { name: string }[] };
  return besideIn(JSON.stringify(logs.map(({ name }) => name)), page.name) ?? [null, null];
}

let asked: Promise<void> | null = null;
let beside: Beside = [null, null];

/** Ask once which logs are beside this one. */
function ask(page: Page): Promise<void> {
  return (asked ??= besideOf(page).then((found) => void (beside = found), () => void (asked = null)));
}

/** Go to the log behind this one in the list, or to the one in front of it. */
export async function go(page: Page, behind: boolean): Promise<void> {
  await ask(page);
  const name = beside[behind ? 1 : 0];
  const address = name === null ? null : addressIn(location.pathname, page.name, name);
  if (address !== null) location.assign(address);
  else if (!page.list) page.notices.tell("This link opens no other log");
  else page.notices.tell(behind ? "This is the last log of the list" : "This is the first log of the list");
}

/** Links to the logs beside this one, and to the other logs of its name. `again` shows the help anew. */
export function others(page: Page, again: () => TemplateResult): TemplateResult {
  if (!asked && page.log.status) void ask(page).then(() => render(again(), element("help")));
  const link = (name: string | null, label: string) => {
    const address = name === null ? null : addressIn(location.pathname, page.name, name);
    return address === null ? nothing : html`<a class="button plain" href=${address}>${label}: <bdi>${name || "(without a name)"}</bdi></a>`;
  };
  const attempts = page.log.status?.attempts ?? [];
  return html`<div class="beside">${link(beside[0], "Log before")}${link(beside[1], "Next log")}</div>
    ${attempts.length < 2 ? nothing : html`<h3 id="attempts">Attempts</h3><ul class="attempts" aria-labelledby="attempts">${attempts.map((one) => attempt(page, one))}</ul>`}`;
}

function attempt(page: Page, one: Attempt): TemplateResult {
  const { attempt: number, generation, state, began, exit_code: code } = one;
  const words = state === "complete" ? (code === null ? "ended" : `ended, exit ${code}`) : state;
  const age = duration(Math.max(0, (Date.now() - Date.parse(began)) / 1000));
  const which = number === 0 ? "The newest" : number === -1 ? "The one before" : `${-number} before the newest`;
  const here = generation === page.log.generation;
  return html`<li><a href=${location.pathname + (number === 0 ? "" : `?generation=${generation}`)} aria-current=${here ? "page" : nothing}>${which}</a>: ${words}, began ${age} ago${here ? ", shown" : ""}</li>`;
}
