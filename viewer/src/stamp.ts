/** The time that a CI service puts in front of each line of a log that is downloaded from it. Pure. */

/** GitHub and Azure, also behind the names of job and step (`gh run view --log`); GitLab's runner. Programs write times with fewer digits. */
const STAMP = /^\ufeff?(?:[^\t]{1,120}\t[^\t]{1,120}\t\ufeff?)?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(?:\d{7}Z(?: |$)|\d{6}Z(?= \d\d[OE])))(?: \d\d[OE][+ ]?)?/;
/** Characters that may have it. */
export const STAMPED = 300;

export interface Stamp {
  /** Characters that it takes. */
  readonly length: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

export function stampOf(text: string): Stamp | null {
  const found = STAMP.exec(text.slice(0, STAMPED));
  const time = found ? Date.parse(found[1]!.trim()) : NaN;
  return found && !Number.isNaN(time) ? { length: found[0].length, time } : null;
}
