/** Lines as the server tells them (`/lines`, NDJSON), read as they come: as much of each as is shown, and no more than there is room for. */

import type { Api } from "../api.js";
import { MASK } from "../mask.js";
import { type Answer, CHUNK, type Told, type Want } from "./sequence.js";

/** Characters that are kept of a line, of which the last ones are for bars that write over themselves; and of one answer. */
const [KEPT, KEPT_END, ROOM] = [4096, 2048, 256 * 1024];

/** As much of a line as is kept, and no value that must not be shown. Of a bar that goes on and on, that is its last state. */
export function kept(text: string): string {
  const secret = MASK.exec(text);
  if (secret) return `${secret[0]}***`;
  if (text.length <= KEPT) return text;
  const end = text.slice(-KEPT_END);
  const back = end.indexOf("\r") + 1;
  return back ? end.slice(back) : `${text.slice(0, KEPT)} …`;
}

/** Ask for lines. */
export async function read(api: Api, query: Want["query"], signal: AbortSignal): Promise<Answer> {
  const backwards = "tail" in query || query["count"]!.startsWith("-");
  const response = await api.get("lines", { ...query, as: "ndjson" }, { signal });
  const size = Number(response.headers.get("Livelog-Size"));
  const lines: Told[] = [];
  let [room, whole, rest] = [ROOM, true, ""];
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop()!;
    for (const part of parts) {
      const told = JSON.parse(part) as { line: number; offset: number; time: string; text: string; error?: string };
      if (told.error) throw new TypeError(told.error);
      const text = kept(told.text);
      lines.push({ line: told.line, at: told.offset, time: Date.parse(told.time), text });
      room -= text.length;
    }
    // The last one is always kept: there is something to go on from.
    if (room < 0 && backwards) for (; room < 0 && lines.length > 1; ) room += lines.shift()!.text.length;
    else if (room < 0 && lines.length > 1) {
      whole = false;
      await reader.cancel();
      break;
    }
  }
  return { lines, whole: whole && (backwards || lines.length < CHUNK), size };
}
