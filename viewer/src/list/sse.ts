/** The parser of an event stream (HTML, section 9.2.6). Pure. */

export interface ServerEvent {
  readonly kind: string;
  readonly data: string;
}

export class Events {
  #rest = "";
  #kind = "";
  #data: string[] = [];

  /** The events that are complete with this text, which follows what came before. */
  *feed(text: string): Generator<ServerEvent> {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const ended of lines) {
      const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
      if (line === "") {
        if (this.#data.length) yield { kind: this.#kind || "message", data: this.#data.join("\n") };
        this.#kind = "";
        this.#data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
      if (field === "event") this.#kind = value;
      else if (field === "data") this.#data.push(value);
    }
  }
}
