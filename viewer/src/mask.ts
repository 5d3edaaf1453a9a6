/** Lines that have a value which must not be shown: commands by which a job tells its CI service a secret. Pure. */

/** What may stand in front of a command: a time, behind the names of a job and a step, and blanks. */
export const BEFORE = String.raw`^\ufeff?(?:(?:(?:[^\t\n]{1,120}\t){2}\ufeff?)?\d{4}-\d\d-\d\dT[\d:.]{8,20}Z? )?[ \t]{0,40}`;
/** The part of such a line in front of the value. Its first characters are enough. */
export const MASK = new RegExp(`${BEFORE}(?:(?:::|##\\[)add-mask(?:::|\\])|##vso\\[task\\.set(?:secret|variable (?=[^\\]]{0,2000}issecret=true))[^\\]]{0,2000}\\])`, "i");
