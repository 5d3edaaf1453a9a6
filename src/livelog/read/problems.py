"""The errors of the readers' port. No I/O.

Errors of both ports, and the mapping of errors of logs, are in `wire.problem`, which also describes `define`.
"""

from livelog.wire.problem import OF_A_LOG, define

EXPIRED = define(
    401, "this link has expired: ask for a new one", "the link's token has expired", readers=f"{OF_A_LOG} logs",
)  # fmt: skip
NO_READERS_PATH = define(
    404, "there is nothing at this path: a log is at /log/, followed by its token, / and its name", "an unknown path",
    readers=f"{OF_A_LOG} logs page livelog.pyz",
)  # fmt: skip
NOT_ABOVE_0 = define(
    400, "the query parameter {parameter} is not a whole number above 0", "a query parameter is 0, such as `?limit=0`", readers="groups logs problems compare search",
)  # fmt: skip
NOT_A_STATE = define(
    400, "the query parameter state is not one of live, interrupted, complete and aborted", "`?state=` is not a state",
    readers="status logs search",
)  # fmt: skip
NOT_OF_MANY = define(
    400, "the query parameter {parameter} is for a search of one log: a search of many logs covers the newest log of each name, up to its present end, and continues with older",
    "`?follow=1`, `?from=`, `?attempt=` or `?generation=` in a search of a prefix", readers="search",
)  # fmt: skip
NOT_A_LABEL = define(
    400, "the query parameter label is the name of a label, or the name and the value: KEY or KEY:VALUE", "`?label=` does not begin with the name of a label",
    readers="logs search",
)  # fmt: skip
NOT_A_BEGIN = define(
    400, "the query parameter {parameter} is not a time with its zone, such as 2026-11-25T05:26:53Z, and not seconds since the epoch",
    "`?since=` or `?until=` is not a time", readers="logs search",
)  # fmt: skip
NOT_A_FORM = define(
    400, "the query parameter as is not one of {forms}", "`?as=` is not a form of this answer", readers="lines logs problems search",
)  # fmt: skip
NOT_A_GENERATION = define(
    400, "the query parameter {parameter} is not the value of next in another page", "`?before=` or `?older=` is not the `next` of a page", readers="logs search",
)  # fmt: skip
NOT_A_LEVEL = define(
    400, "the query parameter level is not error, warning or notice, or several of them with commas between", "`?level=` is not a level",
    readers="problems",
)  # fmt: skip
NO_TEXT = define(
    400, "the query parameter q is the text to search for: 1 to {most} characters of one line", "`?q=` is missing, empty, too long, or has more than one line",
    readers="search",
)  # fmt: skip
NOT_A_DIRECTION = define(
    400, "the query parameter dir is not back or forward", "`?dir=` is not `back` or `forward`", readers="search",
)  # fmt: skip
FOLLOWS_BACKWARDS = define(
    400, "a search with follow=1 goes forward: leave out dir=back", "`?follow=1` together with `?dir=back`", readers="search",
)  # fmt: skip
NOT_A_PATTERN = define(
    400, "this is not a valid regular expression: {reason}", "`?q=` is not a regular expression, with `?regex=1`", readers="search",
)  # fmt: skip
PATTERN_TOO_HEAVY = define(
    400, "this pattern {reason}: use a simpler one", "the pattern takes too much time or memory to compile",
    readers="search",
)  # fmt: skip
WHICH_LINES = define(
    400, "choose the lines with one of the query parameters from, tail, at and time, or with until alone", "`/lines` without a place, or with several of the first four",
    readers="lines",
)  # fmt: skip
LINE_0 = define(
    400, "lines are counted from 1", "`?from=0` or `?until=0`", readers="lines",
)  # fmt: skip
NOT_A_PLACE = define(
    400, "the query parameter {parameter} is not a place: the number of a line, such as 120, a byte, such as byte:4096, or a time with its zone, such as 2026-11-25T05:26:53Z",
    "`?from=` or `?until=` is not a place", readers="lines",
)  # fmt: skip
NOT_A_TIME = define(
    400, "the query parameter {parameter} is not a time such as 2026-11-25T05:26:53Z, and not seconds since the epoch",
    "`?time=`, `?from=` or `?until=` is not a time", readers="lines",
)  # fmt: skip
NOT_A_READERS_NAME = define(
    400, "this is not the name of a log", "the token is right, but the path does not hold a valid name", readers=OF_A_LOG,
)  # fmt: skip
NOT_A_PREFIX = define(
    400, "this is not a prefix: the names of logs begin with a prefix, which ends in '/', such as builds/42/",
    "the token is right, but the path does not hold a valid prefix", readers="logs",
)  # fmt: skip
NOT_COMPARABLE = define(
    400, "the query parameter with is an attempt, such as -1 for the log before the newest one, or a generation", "`?with=` is neither the number of an attempt nor a generation",
    readers="compare",
)  # fmt: skip
NO_GOOD_ATTEMPT = define(
    404, "no earlier log of this name is kept that is complete with exit code 0: LIVELOG_KEEP_ATTEMPTS=N keeps N logs of each name, and with=-1 compares with whichever log was before the newest one",
    "there is no earlier log to compare with", readers="compare",
)  # fmt: skip
NO_ATTEMPT = define(
    404, "there is no attempt {attempt} of this log: {kept}", "the server does not keep the log that `?attempt=` names",
    readers=OF_A_LOG,
)  # fmt: skip
NOT_BEGUN = define(
    404, "this log has not begun: ask again, or with ?wait=60 to wait for it", "the log has not begun, or was removed; with `Retry-After`",
    readers=OF_A_LOG,
)  # fmt: skip
MORE_MAY_COME = define(
    409, "the log has {length} bytes and is {state}: more may come, for which bytes={length}-{last} waits",
    "`bytes=L-` of a log that has not ended", readers="log",
)  # fmt: skip
ABORTED_THERE = define(
    409, "the log was aborted after {length} bytes: there are no more, and it is not complete",
    "`bytes=L-` of a log that was aborted", readers="log",
)  # fmt: skip
REPLACED = define(
    412, "this is not the log that If-Match names", "`If-Match` names another log", readers="log",
)  # fmt: skip
ANOTHER_GENERATION = define(
    412, "no log of that generation is kept under this name: it was replaced or removed, or never was here", "the server does not keep the log that `?generation=` names",
    readers=OF_A_LOG.replace(" events", ""),
)  # fmt: skip
NOT_IN_THE_LOG = define(
    416, "the log has {length} bytes {so_far}: none of them is in that range", "the range has no byte of the log", readers="log",
)  # fmt: skip
COUNTING = define(
    503, "the lines of this log are being counted: ask again later", "a line was asked for by its number, and the index of lines is not ready; with `Retry-After`",
    readers="lines search",
)  # fmt: skip
LINES_FAILED = define(
    503, "{reason}: ask again later", "the process that scans lines failed, or reached a limit; with `Retry-After`",
    readers="lines search groups problems compare status",
    example="looking at the lines of this log takes too much memory: ask again later; and others",
)  # fmt: skip
TOO_MANY_SEARCHES = define(
    503, "too many searches are under way: try again later", "20 searches run or wait already, or 256 follow logs; with `Retry-After`", readers="search",
)  # fmt: skip
