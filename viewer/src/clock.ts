/** Times of lines in words, to 10 ms. Pure. */

const two = (number: number) => String(Math.floor(number)).padStart(2, "0");

/** The time of day, here: `09:03:04.12`. */
export function clock(time: number): string {
  const date = new Date(time);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${two(date.getMilliseconds() / 10)}`;
}

/** A span of milliseconds: `0:04.12`, `12:00.00`, `26:03:04.12`. */
export function span(milliseconds: number): string {
  const hundredths = Math.max(0, Math.round(milliseconds / 10));
  const [seconds, minutes, hours] = [(hundredths / 100) % 60, Math.floor(hundredths / 6000) % 60, Math.floor(hundredths / 360000)];
  return `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(seconds)}.${two(hundredths % 100)}`;
}

/** The date and the time, here and in UTC. */
export function date(time: number): string {
  const one = new Date(time);
  return `${one.toString().replace(/ \(.*/, "")} · ${one.toISOString()}`;
}
