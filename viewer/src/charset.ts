/**
 * The encoding of a log's text, as its Content-Type declares it; UTF-8 if it declares none that is known. Pure.
 *
 * Lines end at the byte 0x0A, which in all encodings but UTF-16 is a newline and nothing else. In UTF-16 it is a half of a
 * newline, whose other half is then beside the line's bytes, or of another character (U+0A05, U+4E0A), which so ends a line, too.
 */

/** An escape sequence that goes on. */
const BEGUN = /^\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x18\x1a\n]*|[ -/]*)$/;

export class Charset {
  readonly label: string;
  readonly #decoder: TextDecoder;

  constructor(contentType = "") {
    const declared = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType)?.[1];
    try {
      this.#decoder = new TextDecoder(declared ?? "utf-8");
    } catch {
      this.#decoder = new TextDecoder(); // it knows no such encoding
    }
    this.label = this.#decoder.encoding;
  }

  /** UTF-16 without a named order has it in its first two bytes. */
  static ordered(contentType: string, start: Uint8Array): Charset {
    const isBig = start[0] === 0xfe && start[1] === 0xff;
    return new Charset(isBig ? "text/plain; charset=utf-16be" : contentType);
  }

  /** The text of bytes that have the offset `at` in the log. `whole`: to the end of a line; else a character that is cut at the end is left out. */
  decode(bytes: Uint8Array, at = 0, whole = true): string {
    const wide = this.label.startsWith("utf-16");
    const before = wide && at % 2 && bytes.length ? this.#unit(bytes[0]!, true) : "";
    if (wide) bytes = bytes.subarray(at % 2);
    const half = wide && whole && bytes.length % 2 ? this.#unit(bytes.at(-1)!, false) : "";
    const text = this.#decoder.decode(bytes, { stream: true });
    const rest = this.#decoder.decode();
    return before + text + (whole && !wide ? rest : half);
  }

  /** The last place in these bytes at or in front of `stop` at which no character and no escape sequence is cut; of other encodings than Unicode's it is not known. */
  border(bytes: Uint8Array, at: number, stop: number): number {
    if (this.label.startsWith("utf-16")) stop -= (at + stop) % 2 && stop ? 1 : 0;
    for (let most = 3; this.label === "utf-8" && most > 0 && stop > 0 && (bytes[stop]! & 0xc0) === 0x80; most--) stop--;
    const escape = bytes.lastIndexOf(27, stop - 1);
    const begun = escape < 0 || stop - escape > 1000 ? "" : String.fromCharCode(...bytes.subarray(escape, stop));
    return BEGUN.test(begun) ? escape : stop;
  }

  /** The character of which a line's end took one byte, the one before this or behind it; "" if that was a newline. */
  #unit(byte: number, behind: boolean): string {
    const isHigh = behind === (this.label === "utf-16le");
    const unit = isHigh ? byte * 256 + 10 : 2560 + byte;
    return unit === 10 ? "" : String.fromCharCode(unit);
  }

  /** Bytes of a text, about: what cannot be encoded counts as if it could. */
  size(text: string): number {
    if (this.label === "utf-8") return new TextEncoder().encode(text).length;
    return text.length * (this.label.startsWith("utf-16") ? 2 : 1);
  }
}
