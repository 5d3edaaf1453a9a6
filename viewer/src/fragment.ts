/** The part of an address behind `#`: a place in the log, or a token that must not stay there. Pure. */

export interface Lines {
  readonly from: number;
  /** The last one: included. */
  readonly to: number;
}

export interface Fragment {
  readonly lines: Lines | null;
  /** A byte's offset, where the number of its line is not known yet. */
  readonly byte: number | null;
  readonly token: string | null;
}

/** `#L120`, `#L120-L140`, `#L120-140`, `#B4096`, `#token=...`, and several of them joined by `&`. */
export function read(hash: string): Fragment {
  let lines: Lines | null = null;
  let byte: number | null = null;
  let token: string | null = null;
  for (const part of hash.replace(/^#/, "").split("&")) {
    const place = /^L([1-9]\d{0,15})(?:-L?([1-9]\d{0,15}))?$/.exec(part);
    if (place) {
      const [one, other] = [Number(place[1]), Number(place[2] ?? place[1])];
      lines = { from: Math.min(one, other), to: Math.max(one, other) };
    } else if (/^B\d{1,16}$/.test(part)) byte = Number(part.slice(1));
    else if (part.startsWith("token=")) token = decode(part.slice(6));
  }
  return { lines, byte, token };
}

/** The fragment of these lines; "" for none. */
export function write(lines: Lines | null): string {
  if (lines === null) return "";
  return lines.from === lines.to ? `#L${lines.from}` : `#L${lines.from}-L${lines.to}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
