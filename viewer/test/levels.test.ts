/** The pattern of a level finds records of it and of graver ones, and no others. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CHOICES, levelPattern } from "../src/levels.js";

const RECORDS: Record<string, readonly string[]> = {
  error: ['{"level":"error","msg":"x"}', '{"msg":"x", "severity" : "FATAL"}', '{"level":50}', "level=error msg=x", 'ts=1 lvl="crit" msg=x', "::error file=a::b", "2026 ##[error]x"],
  warning: ['{"level":"warn"}', "msg=x level=warning", "::warning::x"],
  info: ['{"level":30,"msg":"error"}', "level=info msg=error", "::notice::x"],
  "": ['{"level":"debug"}', "level=debug", "an error", '{"levels":"error"}', "mylevel=error", '{"level":"errors"}', "::errors::"],
};

test("a pattern is no longer than the server takes", () => {
  for (const level of CHOICES) assert.ok(levelPattern(level).length <= 1000);
});

test("of a level and what is graver", () => {
  for (const [at, level] of CHOICES.entries()) {
    const pattern = new RegExp(levelPattern(level), "i");
    for (const [of, lines] of Object.entries(RECORDS)) for (const line of lines) assert.equal(pattern.test(line), CHOICES.slice(0, at + 1).includes(of), `${level}: ${line}`);
  }
});
