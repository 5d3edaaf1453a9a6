/** The list of logs: its events, which logs there are after them, and which of them a filter leaves, in which order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL, choose, isFiltering, labelsOf, read, write } from "../src/list/filter.js";
import { type Listed, Log, Logs } from "../src/list/logs.js";
import { Events } from "../src/list/sse.js";
import { random } from "./random.js";

const NOW = Date.parse("2026-11-28T12:00:00Z");

/** A log that began in this second of the day. */
function listed(second: number, change: Partial<Listed> = {}): Listed {
  const began = new Date(NOW - 86_400_000 + 1000 * second).toISOString().replace("Z", "000Z");
  const generation = `${began.slice(0, 26).replace(/[-:]/g, "")}Z-${second.toString(16).padStart(8, "0")}`;
  return { name: `builds/${second}`, generation, state: "complete", size: second, content_type: "text/plain", title: null, exit_code: null, labels: {}, began,
    changed: began, ended: began, reason: "", readers: 0, attempts: 1, ...change };
}

const feed = (logs: Logs, ...events: [string, unknown][]) => events.forEach(([kind, data]) => logs.apply(kind, data));
const names = (logs: readonly Log[]) => logs.map((log) => log.status.name.replace("builds/", "")).join(" ");

test("events are the same however their text is cut", () => {
  const text = ": comment\n\nevent: log\ndata: {\"a\": 1}\n\nevent:grew\r\ndata:x\r\ndata: y\r\n\r\nid: 7\ndata\n\nevent: nothing\n\ndata: last\n\nevent: cut\ndata: off";
  const expected = [["log", '{"a": 1}'], ["grew", "x\ny"], ["message", ""], ["message", "last"]];
  for (let size = 1; size < text.length; size++) {
    const events = new Events();
    const found: string[][] = [];
    for (let at = 0; at < text.length; at += size) for (const { kind, data } of events.feed(text.slice(at, at + size))) found.push([kind, data]);
    assert.deepEqual(found, expected);
  }
});

test("logs are the newest first, in whatever order they are told of, each once", () => {
  for (const next of [random(1), random(2)]) {
    const logs = new Logs();
    logs.begin();
    const seconds = Array.from({ length: 200 }, () => next(100));
    for (const second of seconds) feed(logs, ["log", listed(second)]);
    const expected = [...new Set(seconds)].sort((one, other) => other - one);
    assert.equal(names(logs.all), expected.join(" "));
    for (const second of expected.filter((_, at) => at % 3 === 0)) feed(logs, ["removed", listed(second)]);
    assert.equal(names(logs.all), expected.filter((_, at) => at % 3).join(" "));
  }
});

test("what a new stream does not tell of before it has listed all is gone, and not before", () => {
  const logs = new Logs();
  logs.begin();
  feed(logs, ["log", listed(3)], ["log", listed(2)], ["log", listed(1)], ["listed", { logs: 3, next: null }]);
  const kept = logs.get(listed(2).generation);
  logs.begin();
  feed(logs, ["log", listed(4)], ["grew", listed(2, { size: 99 })]);
  assert.equal(names(logs.all), "4 3 2 1");
  feed(logs, ["listed", { logs: 2, next: "older" }], ["removed", listed(77)], ["begun", listed(5)]);
  assert.equal(names(logs.all), "5 4 2");
  assert.equal(logs.next, "older");
  assert.equal(logs.get(listed(2).generation), kept);
  assert.equal(kept!.status.size, 99);
  feed(logs, ["reset", {}], ["log", listed(5)], ["listed", { logs: 1, next: null }]);
  assert.equal(names(logs.all), "5");
});

test("events of a kind that is not known, and without a log, change nothing", () => {
  const logs = new Logs();
  feed(logs, ["message", {}], ["other", null], ["log", { generation: 7 }], ["log", listed(1)]);
  assert.equal(names(logs.all), "1");
});

test("growing changes nothing that a filter looks at; a title, a label and a state do", () => {
  const logs = new Logs();
  feed(logs, ["begun", listed(1, { state: "live", ended: null })]);
  const { changes } = logs;
  feed(logs, ["grew", listed(1, { state: "live", ended: null, size: 5, readers: 3 })]);
  assert.equal(logs.changes, changes);
  for (const change of [{ title: "t" }, { title: "t", labels: { a: "b" } }, { state: "aborted" as const }]) {
    const before = logs.changes;
    feed(logs, ["changed", listed(1, { state: "live", ended: null, ...change })]);
    assert.equal(logs.changes, before + 1);
  }
});

const some = [
  listed(9, { name: "builds/nine", title: "Release of Ümlaut", labels: { branch: "main", os: "linux" }, exit_code: 0, size: 5 }),
  listed(8, { name: "builds/eight", state: "live", ended: null, labels: { branch: "topic" }, readers: 2, size: 50 }),
  listed(7, { name: "builds/seven", exit_code: 2, labels: { branch: "main" } }),
  listed(6, { name: "", state: "aborted", exit_code: 1 }),
  listed(5, { name: "builds/five", state: "interrupted", ended: null }),
].map((status) => new Log(status));

for (const [query, expected] of [
  ["", "nine eight seven  five"],
  ["?q=BUILDS+seven", "seven"],
  ["?q=%C3%9CMLAUT", "nine"],
  ["?q=os:linux", "nine"],
  ["?q=nine+seven", ""],
  ["?state=failed", "seven"],
  ["?state=complete", "nine"],
  ["?state=live&state=aborted", "eight "],
  ["?state=live,failed", "eight seven"],
  ["?label=branch:main", "nine seven"],
  ["?label=branch", "nine eight seven"],
  ["?label=branch:main&label=os", "nine"],
  ["?sort=-began", "five  seven eight nine"],
  ["?sort=name", " eight five nine seven"],
  ["?sort=size", "eight seven  nine five"],
  ["?sort=readers", "eight nine seven  five"],
  ["?sort=state", "eight five seven  nine"],
  ["?sort=took", "five eight nine seven "],
  ["?state=nonsense&sort=nonsense&label=", "nine eight seven  five"],
] as const) {
  test(`${query || "no query"} leaves ${expected || "nothing"}`, () => {
    const filter = read(query);
    assert.equal(names(choose(some, filter, NOW).logs), expected);
    assert.deepEqual(read(write(filter)), { ...filter, text: filter.text.trim() });
  });
}

test("kinds are counted among the logs that have the text and the labels", () => {
  assert.deepEqual(choose(some, read("?label=branch:main&state=live"), NOW).counts, { live: 0, interrupted: 0, failed: 1, aborted: 0, complete: 1 });
});

test("no filter is written as nothing", () => {
  assert.equal(write(ALL), "");
  assert.equal(isFiltering(ALL), false);
  assert.equal(isFiltering(read("?sort=name")), false);
  assert.equal(isFiltering(read("?q=+")), false);
  assert.equal(write(read("?q=a+b&state=live&label=branch:main&sort=-size")), "?q=a+b&state=live&label=branch:main&sort=-size");
});

test("labels are told with how many logs have them, the most frequent first", () => {
  assert.deepEqual(labelsOf(some, 2), [["branch:main", 2], ["branch:topic", 1]]);
});
