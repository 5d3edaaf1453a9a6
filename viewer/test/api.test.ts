import assert from "node:assert/strict";
import { test } from "node:test";
import { Api, generationOf } from "../src/api.js";

const GENERATION = "20261127T155231.095778Z-30a76b63";

test("the generation is in an ETag, also where a proxy compresses", () => {
  for (const etag of [`"${GENERATION}"`, `W/"${GENERATION}"`, `"${GENERATION}-gzip"`, `"${GENERATION};br"`]) {
    assert.equal(generationOf(etag), GENERATION);
  }
  assert.equal(generationOf('"other"'), "other");
  assert.equal(generationOf(""), "");
});

test("links are to the log that is shown, with a token where the path has none", () => {
  const kept = new Map<string, string>();
  Object.assign(globalThis, { sessionStorage: { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) } });
  const api = new Api("/ci/view/a/b");
  assert.equal(api.raw("a/b"), "/ci/log/a/b");
  api.keep("T");
  assert.equal(api.raw("a/b"), "/ci/log/T/a/b");
  assert.equal(api.raw("b"), "/ci/log/a/b");
  api.generation = GENERATION;
  assert.equal(api.raw("b", { tail: "5" }), `/ci/log/a/b?tail=5&generation=${GENERATION}`);
  assert.equal(new Api("/view/%61/b").raw("a/b"), "/log/T/a/b");
});

test("what the address asks for is in links, the first of each, and attempt 0 is the newest as without it", () => {
  const query = (search: string) => new Api("/view/T/a", search).raw("a").replace(/^.log.T.a/, "");
  assert.equal(query("?attempt=-1&q=x"), "?attempt=-1");
  assert.equal(query("?attempt=-1&attempt=-2"), "?attempt=-1");
  assert.equal(query(`?q=x&generation=${GENERATION}`), `?generation=${GENERATION}`);
  assert.equal(query("?attempt=0&case=1"), "");
  assert.equal(query(""), "");
});
