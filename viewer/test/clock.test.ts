/** Times of lines in words. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, date, span } from "../src/clock.js";

test("a span has as many parts as it needs, and hundredths", () => {
  const spans = [[0, "0:00.00"], [4, "0:00.00"], [120, "0:00.12"], [59_994, "0:59.99"], [59_996, "1:00.00"], [720_000, "12:00.00"], [93_784_120, "26:03:04.12"], [-5, "0:00.00"]] as const;
  for (const [milliseconds, text] of spans) assert.equal(span(milliseconds), text);
});

test("a time is that of the day where the browser is, and its date is told with the zone and in UTC", () => {
  const time = new Date(2026, 10, 28, 9, 3, 4, 129).getTime();
  assert.equal(clock(time), "09:03:04.12");
  assert.match(date(time), /^Sat Nov 28 2026 09:03:04 GMT[+-]\d{4} · \d{4}-11-2\dT[\d:]+\.129Z$/);
});
