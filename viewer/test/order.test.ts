/** The order in which a list showed logs, as it is kept for the pages that are opened from it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressIn, besideIn } from "../src/order.js";

test("beside a log is what the list showed beside it, whatever is kept", () => {
  for (const [kept, name, expected] of [
    ['["a", "b/c", ""]', "b/c", ["a", ""]],
    ['["a", "b/c", ""]', "a", [null, "b/c"]],
    ['["a", "b/c", ""]', "", ["b/c", null]],
    ['["a"]', "a", [null, null]],
    ['["a"]', "b", null],
    ['[1, "a", {}]', "a", [null, null]],
    [null, "a", null],
    ["{", "a", null],
    ["null", "a", null],
    ['{"indexOf": 1}', "a", null],
  ] as const) assert.deepEqual(besideIn(kept, name), expected, `${kept} ${name}`);
});

test("the address of another log is beside that of the one that is open", () => {
  for (const [pathname, name, other, expected] of [
    ["/view/secret/a/b", "a/b", "c", "/view/secret/c"],
    ["/view/secret/a/b", "a/b", "", "/view/secret"],
    ["/view/secret", "", "c/d", "/view/secret/c/d"],
    ["/view/a", "a", "b", "/view/b"],
    ["/logs/view/secret/view", "view", "b", "/logs/view/secret/b"],
    ["/view/secret/old", "new", "b", null],
  ] as const) assert.equal(addressIn(pathname, name, other), expected, pathname);
});
