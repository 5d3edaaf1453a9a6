"""Every error that the server answers with: its status, its text, on which port and for which requests.

This table is the only place for statuses and texts of errors: the server raises from it, the tables of errors in
`docs/protocol/errors.md` are made from it, and a test holds both OpenAPI descriptions to it. No I/O.

    raise problem.NO_LOG.error()
    raise problem.TOO_LARGE.error({"Upload-Limit": limits}, limit=10)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

from livelog.errors import DiskError, InvalidAttribute, LeaseLost, LeaseTaken, RequestError, Stopping, TooManyLogs

from .response import PHRASES

READERS = "log status logs lines search events groups view livelog.pyz"
"""What a readers' GET or HEAD asks for: the first segment of its path."""

OF_A_LOG = "log status lines search events groups"
"""Those of `READERS` that are about one log."""

PRODUCERS = "put show tell remove limits offset append methods give-up healthz readyz metrics"
"""What a producers' request is, by the names that its operations have in `docs/openapi-producers.yaml`."""

OF_PRODUCERS = "put show tell remove limits offset append methods give-up"
"""Those of `PRODUCERS` that need a write token where the server has one."""

RETRY_AFTER = {"Retry-After": "1"}

TYPES = "https://iana.org/assignments/http-problem-types#"
"""What the names of registered problem types begin with (RFC 9457 section 4.2)."""

MAX_LINE = 8190
"""Bytes of a request's target, of a header field's name, and of its value."""

MAX_FIELDS = 128
"""Header fields of a request."""

MAX_HEAD = 64 * 1024
"""Bytes of a request's head."""

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""The methods that mean something on either port."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of error.

    `text` is a template: `{fact}` stands for what `error` is told under that name. `when`: what leads to it, for the
    documentation. `producers` and `readers`: the requests of either port that can meet it, see `PRODUCERS` and `READERS`;
    "-": any request, before it is known what it asks for. `registered`: the name of a registered problem type (RFC 9457). `example`: what
    the documentation shows instead of a text that is nothing but facts.
    `example`: what the documentation shows instead of a text that is all facts.
    """

    status: int
    text: str
    when: str
    producers: str = ""
    readers: str = ""
    registered: str = ""
    example: str = ""

    def error(
        self,
        headers: Mapping[str, str] | None = None,
        *,
        members: Mapping[str, object] | None = None,
        final: bool = False,
        **facts: object,
    ) -> RequestError:
        """The error to raise; see `RequestError` for `headers`, `members` and `final`."""
        text = self.text.format(**facts) if facts else self.text
        return RequestError(self.status, text, headers, problem=self.registered, members=members, final=final)

    @property
    def shown(self) -> str:
        """The text for the documentation: facts in capital letters."""
        return self.example or "".join(text + (name or "").upper() for text, name, _, _ in Formatter().parse(self.text))


TABLE: list[Problem] = []
"""All of them, in the order of the documentation."""


def _problem(
    status: int,
    text: str,
    when: str,
    *,
    producers: str = "",
    readers: str = "",
    registered: str = "",
    example: str = "",
) -> Problem:
    problem = Problem(status, text, when, producers, readers, registered, example)
    TABLE.append(problem)
    return problem


# Of heads, before it is known what is asked for.

NOT_HTTP = _problem(
    400, "this is not an HTTP request: it does not begin with METHOD TARGET HTTP/1.1",
    "the bytes are not HTTP", producers="-", readers="-",
)  # fmt: skip
CONTROL = _problem(
    400, "the head of this request has a control character in it, or a line that does not end with CR LF",
    "a control character or a bare line feed in the head", producers="-", readers="-",
)  # fmt: skip
TARGET_TOO_LONG = _problem(
    400, f"the target of this request is longer than {MAX_LINE} bytes", "the URL is too long",
    producers="-", readers="-",
)  # fmt: skip
BAD_FIELD = _problem(
    400, "a header field of this request is not a name, a colon and a value on one line",
    "a header field without a name, with a space before its colon, or folded", producers="-", readers="-",
)  # fmt: skip
NO_HOST = _problem(
    400, "a request has one Host field: this one has {count}", "HTTP/1.1 without `Host`, or with more than one",
    producers="-", readers="-",
)  # fmt: skip
BAD_LENGTH = _problem(
    400, "Content-Length is not one whole number of bytes", "`Content-Length` is not a number, or is given twice with different values",
    producers="-", readers="-",
)  # fmt: skip
TWO_FRAMINGS = _problem(
    400, "Content-Length and Transfer-Encoding exclude each other", "`Content-Length` and `Transfer-Encoding` together", producers="-", readers="-",
)  # fmt: skip
MALFORMED = _problem(
    400, "the head of this request is malformed", "any other error in the head", producers="-", readers="-",
)  # fmt: skip
FIELD_TOO_LONG = _problem(
    431, f"a header field of this request is longer than {MAX_LINE} bytes", "one header field is too long",
    producers="-", readers="-",
)  # fmt: skip
TOO_MANY_FIELDS = _problem(
    431, f"this request has more than {MAX_FIELDS} header fields", "too many header fields", producers="-", readers="-",
)  # fmt: skip
HEAD_TOO_LARGE = _problem(
    431, f"the head of this request is larger than {MAX_HEAD} bytes", "the head is too large",
    producers="-", readers="-",
)  # fmt: skip
UNKNOWN_METHOD = _problem(
    501, f"this method is not known here: the methods are {', '.join(METHODS)}",
    "a method that the server does not implement, such as `PROPFIND`", producers="-", readers="-",
)  # fmt: skip
VERSION = _problem(
    505, "this server speaks HTTP/1.1 and HTTP/1.0", "another version of HTTP, also HTTP/2", producers="-", readers="-",
)  # fmt: skip

# Of both ports.

DENIED = _problem(
    401, "Access denied", "the token is wrong or missing", producers=OF_PRODUCERS, readers=f"{OF_A_LOG} logs"
)
EXPIRED = _problem(
    401, "this link has expired: ask for a new one", "the link's token has expired", readers=OF_A_LOG,
)  # fmt: skip
FAILED = _problem(
    500, "the server failed; its log says more under {id}", "a bug in the server",
    producers=PRODUCERS, readers=READERS,
)  # fmt: skip
DISK_FAILED = _problem(
    500, "{operation} failed: {cause}", "the disk failed", producers=PRODUCERS, readers=READERS,
    example="reading the log failed: Input/output error; and others",
)  # fmt: skip
TOO_MANY_CONNECTIONS = _problem(
    503, "too many connections: try again later", "too many connections; with `Retry-After`, and the connection is closed",
    producers=PRODUCERS, readers=READERS,
)  # fmt: skip
NO_DESCRIPTORS = _problem(
    503, "{operation} failed: {cause}", "the process has no file descriptor left; with `Retry-After`",
    producers=PRODUCERS, readers=READERS,
    example="opening the log's file failed: Too many open files",
)  # fmt: skip
STOPPING = _problem(
    503, "the server is stopping", "a log would begin or resume while the server is stopping; with `Retry-After`",
    producers="put append",
)  # fmt: skip
NO_PATH = _problem(
    404, "there is nothing at this path: a log is sent with PUT to /log/ and its name, or to /log", "an unknown path",
    producers=OF_PRODUCERS.replace("methods ", ""),
)  # fmt: skip
NO_READERS_PATH = _problem(
    404, "there is nothing at this path: a log is at /log/, followed by its token, / and its name", "an unknown path",
    readers=f"{OF_A_LOG} logs livelog.pyz",
)  # fmt: skip

# Of the producers' port.

BAD_CHUNK = _problem(
    400, "{fault}", "the chunked coding of the body is malformed (RFC 9112); the log is aborted",
    producers="put append",
    example="a chunk does not begin with its size in hexadecimal digits; and others",
)  # fmt: skip
CONTENT_RANGE = _problem(
    400, "a PUT with Content-Range is not supported: send the whole log in one body", "a PUT with `Content-Range`", producers="put",
)  # fmt: skip
NOT_A_NAME = _problem(
    400,
    "this is not a name for a log: a name is 1 to 8 segments of A-Z, a-z, 0-9, '.', '_', '~' and '-', "
    "joined by '/', none of them '.' or '..', at most 255 bytes",
    "the path does not hold a valid name", producers="put show tell remove limits",
)  # fmt: skip
BAD_ATTRIBUTE = _problem(
    400, "{reason}", "the exit code, a label or the title is not valid",
    producers="put tell append",
    example="Livelog-Exit-Code is not a whole number of 32 bits; and others",
)  # fmt: skip
NO_OFFSET = _problem(
    400, "Upload-Offset must say where the content begins: a number of bytes", "`Upload-Offset` is missing or malformed",
    producers="append",
)  # fmt: skip
NO_COMPLETENESS = _problem(
    400, "Upload-Complete must say whether this is the end of the upload: ?1 or ?0",
    "`Upload-Complete` is missing or malformed", producers="append",
)  # fmt: skip
INCONSISTENT_LENGTH = _problem(
    400, "{reason}", "two announced lengths differ", producers="put append", registered="inconsistent-upload-length",
    example="Upload-Length is 5, but the content of this request ends at 7; and others",
)  # fmt: skip
WRONG_DIGEST = _problem(
    400, "the bytes that arrived do not match {field}: send them again",
    "the digest does not match the bytes", producers="put append", registered="digest-mismatching-values",
)  # fmt: skip
NOT_A_DIGEST = _problem(
    400, "the digest in {field} is not valid: {reason}", "the digest is malformed or has the wrong size", producers="put append",
    registered="digest-invalid-values",
)  # fmt: skip
NOT_A_DURATION = _problem(
    400, "the query parameter expires is not a duration above 0, such as 90, 1.5, 10m, 2h or 7d",
    "`?expires=` is not a duration", producers="show",
)  # fmt: skip
OTHER_SITE = _problem(
    403, "pages of other sites may not write logs", "`Sec-Fetch-Site: cross-site`: a page of another site sent it", producers=PRODUCERS,
)  # fmt: skip
FOREIGN_HOST = _problem(
    403, "this port answers to the names of this machine only, such as localhost",
    "the port is on loopback, and `Host` is not a name of this machine", producers=PRODUCERS,
)  # fmt: skip
NOT_BEGUN_BUT_LINK = _problem(
    404, "this log has not begun; its link is in Livelog-Link", "`GET` before the log begins", producers="show",
)  # fmt: skip
NO_LOG = _problem(
    404, "there is no log of that name", "`PATCH` or `DELETE` of a log that does not exist", producers="tell remove",
)  # fmt: skip
NO_UPLOAD = _problem(
    404, "there is no such upload: its log was replaced or removed, or never began",
    "the upload's address is wrong, or its log was replaced", producers="offset append give-up",
)  # fmt: skip
SENT_WITH_PUT = _problem(
    405, "a log is sent with PUT", "a method that a log does not have; with `Allow`", producers="put show",
)  # fmt: skip
POST_BEGINS_UPLOADS = _problem(
    405, "POST begins a resumable upload, with Upload-Complete: send a log with PUT",
    "`POST` without `Upload-Complete`; with `Allow`", producers="put",
)  # fmt: skip
APPENDED_BY_PATCH = _problem(
    405, "an upload is resumed with PATCH", "a method that an upload does not have; with `Allow`", producers="offset",
)  # fmt: skip
READ_WITH_GET = _problem(
    405, "this is read with GET or HEAD", "a method other than GET and HEAD for `/healthz`, `/readyz` or `/metrics`; with `Allow`",
    producers="healthz readyz metrics",
)  # fmt: skip
ANOTHER_PRODUCER = _problem(
    409, "this log is being written by another producer: wait until that one has ended", "another producer is sending this log",
    producers="put",
)  # fmt: skip
LEASE_LOST = _problem(
    409, "this request may write the log no longer: another one took its place",
    "a producer that is heard again after its log was given to another one", producers="put append",
)  # fmt: skip
BEING_RECEIVED = _problem(
    409, "another log of this name is being received: wait until that one has begun",
    "a PUT with a digest is arriving for this name", producers="append give-up",
)  # fmt: skip
WRONG_OFFSET = _problem(
    409, "the upload has {offset} bytes: resume from there, not from {provided}", "`Upload-Offset` is not the current offset",
    producers="append", registered="mismatching-upload-offset",
)  # fmt: skip
UPLOAD_COMPLETE = _problem(
    409, "this upload is complete: nothing can be appended", "`PATCH` of an upload that is complete", producers="append",
)  # fmt: skip
LOG_ENDED = _problem(
    409, "this log has ended: its metadata cannot change any more", "`PATCH` of a log that has ended", producers="tell",
)  # fmt: skip
LOG_WRITTEN = _problem(
    409, "this log is being written: end its producer first", "`DELETE` of a log while its producer is connected", producers="remove",
)  # fmt: skip
NOTHING_TO_CANCEL = _problem(
    409, "this upload is complete: DELETE the log itself to remove it", "`DELETE` of an upload that is complete",
    producers="give-up",
)  # fmt: skip
GIVEN_UP = _problem(
    410, "this upload was given up: {reason}", "the upload was given up, by its producer or after the grace time", producers="offset append give-up",
    example="this upload was given up: no producer came back within 60 s",
)  # fmt: skip
NO_LENGTH = _problem(
    411, "an HTTP/1.0 request must say how long its body is: send Content-Length", "HTTP/1.0 without `Content-Length`",
    producers="put append",
)  # fmt: skip
EXISTS = _problem(
    412, "this log exists, and If-None-Match forbids replacing it", "`If-None-Match: *`, and the log exists",
    producers="put tell remove",
)  # fmt: skip
NOT_THIS_LOG = _problem(
    412, "this is not the log that If-Match names", "`If-Match`, and the log has another `ETag` or does not exist",
    producers="put tell remove",
)  # fmt: skip
TOO_LARGE = _problem(
    413, "the log is larger than this server takes: at most {limit} bytes",
    "the log is larger than `LIVELOG_MAX_LOG_SIZE`; with `Upload-Limit`", producers="put append",
)  # fmt: skip
NO_BODY = _problem(
    415, "metadata is sent in header fields, such as Livelog-Exit-Code: send no body",
    "a `PATCH` of `/log/{name}` with a body", producers="tell",
)  # fmt: skip
NOT_A_PART = _problem(
    415, "an upload is resumed with Content-Type: application/partial-upload",
    "a `PATCH` of an upload with another type", producers="append",
)  # fmt: skip
TOO_MANY_LOGS = _problem(
    429, "the limit of {count} logs is reached (LIVELOG_MAX_LOGS), and all of them are in use",
    "`LIVELOG_MAX_LOGS` is reached, and no log can be removed; with `Retry-After`", producers="put",
)  # fmt: skip
OTHER_CODING = _problem(
    501, "the only transfer coding understood is chunked", "a `Transfer-Encoding` other than `chunked`",
    producers="put append",
)  # fmt: skip
NOT_READY = _problem(
    503, "no log can begin: {reason}", "`/readyz`, while no log can begin; with `Retry-After`", producers="readyz",
)  # fmt: skip
DISK_FULL = _problem(
    507, "{operation} failed: {cause}",
    "the disk is full, or a size limit is reached; a log that is being written is aborted after the bytes that were stored",
    producers="put tell append",
    example="writing the log failed: No space left on device; and others",
)  # fmt: skip

# Of the readers' port.

NOT_A_NUMBER = _problem(
    400, "the query parameter {parameter} is not a whole number", "a query parameter is not a whole number",
    readers=f"{OF_A_LOG} logs",
)  # fmt: skip
NOT_ABOVE_0 = _problem(
    400, "the query parameter {parameter} is not a whole number above 0", "a query parameter is 0, such as `?limit=0`", readers="groups logs search",
)  # fmt: skip
NOT_A_STATE = _problem(
    400, "the query parameter state is not one of live, interrupted, complete and aborted", "`?state=` is not a state",
    readers="status logs",
)  # fmt: skip
NOT_A_GENERATION = _problem(
    400, "the query parameter before is not the value of next in another page", "`?before=` is not the `next` of a page", readers="logs",
)  # fmt: skip
NO_TEXT = _problem(
    400, "the query parameter q is the text to search for: 1 to {most} characters of one line", "`?q=` is missing, empty, too long, or has more than one line",
    readers="search",
)  # fmt: skip
NOT_A_DIRECTION = _problem(
    400, "the query parameter dir is not back or forward", "`?dir=` is not `back` or `forward`", readers="search",
)  # fmt: skip
NOT_A_PATTERN = _problem(
    400, "this is not a valid regular expression: {reason}", "`?q=` is not a regular expression, with `?regex=1`", readers="search",
)  # fmt: skip
PATTERN_TOO_HEAVY = _problem(
    400, "this pattern {reason}: use a simpler one", "the pattern takes too much time or memory to compile",
    readers="search",
)  # fmt: skip
WHICH_LINES = _problem(
    400, "choose the lines with exactly one of the query parameters from, tail, at and time", "none of these parameters, or several",
    readers="lines",
)  # fmt: skip
LINE_0 = _problem(
    400, "lines are counted from 1", "`?from=0`", readers="lines",
)  # fmt: skip
NOT_A_TIME = _problem(
    400, "the query parameter time is not a time such as 2026-11-25T05:26:53Z, and not seconds since the epoch",
    "`?time=` is not a time", readers="lines",
)  # fmt: skip
NOT_A_READERS_NAME = _problem(
    400, "this is not the name of a log", "the token is right, but the path does not hold a valid name", readers=OF_A_LOG,
)  # fmt: skip
NOT_BEGUN = _problem(
    404, "this log has not begun: ask again, or with ?wait=60 to wait for it", "the log has not begun, or was removed; with `Retry-After`",
    readers=OF_A_LOG,
)  # fmt: skip
READ_ONLY = _problem(
    405, "a log is read with GET or HEAD", "a method other than GET, HEAD and OPTIONS; with `Allow`", readers=READERS,
)  # fmt: skip
MORE_MAY_COME = _problem(
    409, "the log has {length} bytes and is {state}: more may come, for which bytes={length}-{last} waits",
    "`bytes=L-` of a log that has not ended", readers="log",
)  # fmt: skip
ABORTED_THERE = _problem(
    409, "the log was aborted after {length} bytes: there are no more, and it is not complete",
    "`bytes=L-` of a log that was aborted", readers="log",
)  # fmt: skip
REPLACED = _problem(
    412, "this is not the log that If-Match names: it was replaced", "`If-Match` names another log", readers="log",
)  # fmt: skip
ANOTHER_GENERATION = _problem(
    412, "this is not the log of that generation: it was replaced", "`?generation=` names another log", readers="log",
)  # fmt: skip
NOT_THIS_PAGE = _problem(
    412, "this is not the version that If-Match names", "`If-Match` names another version of the page or of the client",
    readers="view livelog.pyz",
)  # fmt: skip
NOT_IN_THE_LOG = _problem(
    416, "the log has {length} bytes {so_far}: none of them is in that range", "the range has no byte of the log", readers="log",
)  # fmt: skip
COUNTING = _problem(
    503, "the lines of this log are being counted: ask again later", "a line was asked for by its number, and the index of lines is not ready; with `Retry-After`",
    readers="lines search",
)  # fmt: skip
LINES_FAILED = _problem(
    503, "{reason}: ask again later", "the process that scans lines failed, or reached a limit; with `Retry-After`",
    readers="lines search groups",
    example="looking at the lines of this log takes too much memory: ask again later; and others",
)  # fmt: skip
TOO_MANY_SEARCHES = _problem(
    503, "too many searches are under way: try again later", "more than 20 searches run or wait; with `Retry-After`", readers="search",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What an error is answered with. `kind`: what metrics count it as."""

    status: int
    kind: str
    content_type: str
    body: str


def of(error: Exception) -> RequestError | None:
    """What a client is told of an error, also of one that knows nothing of HTTP; None: of a fault of the server."""
    match error:
        case RequestError():
            return error
        case DiskError() if error.passing:
            return NO_DESCRIPTORS.error(RETRY_AFTER, operation=error.operation, cause=error.reason)
        case DiskError():
            return (DISK_FULL if error.full else DISK_FAILED).error(operation=error.operation, cause=error.reason)
        case InvalidAttribute():
            return BAD_ATTRIBUTE.error(reason=error)
        case TooManyLogs():
            return TOO_MANY_LOGS.error({"Retry-After": "60"}, count=error.count)
        case Stopping():
            return STOPPING.error(RETRY_AFTER)
        case LeaseTaken():
            return ANOTHER_PRODUCER.error()
        case LeaseLost():
            return LEASE_LOST.error()
    return None


def answer(error: RequestError, accept: str) -> Answer:
    """The answer that tells of `error`: one line of text, or, if `accept` asks for it, a problem document (RFC 9457).

    An error of a registered type is always a document. `accept`: an Accept field (RFC 9110 section 12.5.1).
    """
    phrase = PHRASES[error.status]
    kind = error.problem or phrase.lower().replace(" ", "-")
    if not error.problem and "application/problem+json" not in accept.lower():
        return Answer(error.status, kind, "text/plain", str(error) + ("" if error.status == 401 else "\n"))
    document = {
        "type": TYPES + error.problem if error.problem else "about:blank",
        "title": error.problem.replace("-", " ").capitalize() or phrase,
        "status": error.status, "detail": str(error), **error.members,
    }  # fmt: skip
    return Answer(error.status, kind, "application/problem+json", json.dumps(document))
