/** The way from a log's page to the list in which it is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { listOf } from "../src/back.js";

const CODE = "x".repeat(32);

test("the list is where what opens the log opens one", () => {
  for (const [pathname, name, token, expected] of [
    ["/view/secret/a/b", "a/b", null, "/view/secret/"],
    ["/view/secret", "", null, "/view/secret/"],
    ["/logs/view/secret/a", "a", null, "/logs/view/secret/"],
    [`/view/p~${CODE}/a/b/c`, "a/b/c", null, `/view/p~${CODE}/a/b/`],
    [`/view/${CODE}/a/b`, "a/b", null, null],
    [`/view/${CODE}.99/a/b`, "a/b", null, null],
    ["/view/a/b", "a/b", "secret", "/view/"],
    ["/view", "", "secret", "/view/"],
    ["/view/a/b", "a/b", `p~${CODE}`, "/view/a/"],
    ["/view/a/b", "a/b", CODE, null],
    ["/view/secret/a", "a", "other", "/view/secret/"],
    ["/view", "", null, null],
  ] as const) assert.equal(listOf(pathname, name, token), expected, pathname);
});
