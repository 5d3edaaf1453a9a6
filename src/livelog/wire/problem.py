"""Errors as HTTP answers: each one's status, text and problem document, its port, and the requests that can get it. No I/O.

`TABLE` is the only place for statuses and texts of errors. This module defines the errors of any request, and maps the errors of logs,
which know nothing of HTTP, to answers. `produce.problems` and `read.problems` add those of each port. The server raises from the
table, the tables of errors in `docs/protocol` are made from it, and a test compares both OpenAPI descriptions with it.

    raise problem.DENIED.error()
    raise problem.TOO_MANY_LOGS.error({"Retry-After": "60"}, count=10)
"""

import json
from collections.abc import Mapping
from string import Formatter
from typing import NamedTuple

from livelog.errors import DiskError, InvalidAttribute, LeaseLost, LeaseTaken, RequestError, Stopping, TooManyLogs

from .response import PHRASES

READERS = "log status logs lines search events groups problems compare view page livelog.pyz"
"""The resources of the readers' port: the first segments of their paths."""

OF_A_LOG = "log status lines search events groups problems compare"
"""The resources in `READERS` that are about one log."""

PRODUCERS = "put show update remove limits offset append methods give-up link healthz readyz metrics"
"""The operations of the producers' port, by their names in `docs/openapi-producers.yaml`."""

OF_PRODUCERS = "put show update remove limits offset append methods give-up link"
"""The operations in `PRODUCERS` that need a write token if the server has one."""

RETRY_AFTER = {"Retry-After": "1"}

TYPES = "https://iana.org/assignments/http-problem-types#"
"""The prefix of registered problem types (RFC 9457 section 4.2)."""

MAX_LINE = 8190
"""The largest request target, field name and field value, in bytes each."""

MAX_FIELDS = 128
"""The largest number of header fields in a request."""

MAX_HEAD = 64 * 1024
"""The largest head of a request, in bytes."""

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""The methods that some resource of either port has."""


class Problem(NamedTuple):
    """One kind of error.

    `text` is a template: `{fact}` stands for what `error` is told under that name. `when`: what leads to it, for the
    documentation. `producers` and `readers`: the requests of either port that can meet it, see `PRODUCERS` and `READERS`;
    "-": any request, before it is known what it asks for. `registered`: the name of a registered problem type (RFC 9457).
    `example`: what the documentation shows instead of a text that is nothing but facts.
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
"""The problems of all modules imported so far, in the order of their definitions."""


def define(
    status: int,
    text: str,
    when: str,
    *,
    producers: str = "",
    readers: str = "",
    registered: str = "",
    example: str = "",
) -> Problem:
    """Put a problem into `TABLE`, and return it; see `Problem`."""
    problem = Problem(status, text, when, producers, readers, registered, example)
    TABLE.append(problem)
    return problem


# Errors of heads, before the resource is known.

NOT_HTTP = define(
    400, "this is not an HTTP request: it does not begin with METHOD TARGET HTTP/1.1",
    "the bytes are not HTTP", producers="-", readers="-",
)  # fmt: skip
CONTROL = define(
    400, "the head of this request has a control character in it, or a line that does not end with CR LF",
    "a control character or a bare line feed in the head", producers="-", readers="-",
)  # fmt: skip
TARGET_TOO_LONG = define(
    400, f"the target of this request is longer than {MAX_LINE} bytes", "the URL is too long",
    producers="-", readers="-",
)  # fmt: skip
BAD_FIELD = define(
    400, "a header field of this request is not a name, a colon and a value on one line",
    "a header field without a name, with a space before its colon, or folded", producers="-", readers="-",
)  # fmt: skip
NO_HOST = define(
    400, "a request has one Host field: this one has {count}", "HTTP/1.1 without `Host`, or with more than one",
    producers="-", readers="-",
)  # fmt: skip
BAD_LENGTH = define(
    400, "Content-Length is not one whole number of bytes", "`Content-Length` is not a number, or is given more than once",
    producers="-", readers="-",
)  # fmt: skip
TWO_FRAMINGS = define(
    400, "Content-Length and Transfer-Encoding exclude each other", "`Content-Length` and `Transfer-Encoding` together", producers="-", readers="-",
)  # fmt: skip
MALFORMED = define(
    400, "the head of this request is malformed", "any other error in the head", producers="-", readers="-",
)  # fmt: skip
FIELD_TOO_LONG = define(
    431, f"a header field of this request is longer than {MAX_LINE} bytes", "one header field is too long",
    producers="-", readers="-",
)  # fmt: skip
TOO_MANY_FIELDS = define(
    431, f"this request has more than {MAX_FIELDS} header fields", "too many header fields", producers="-", readers="-",
)  # fmt: skip
HEAD_TOO_LARGE = define(
    431, f"the head of this request is larger than {MAX_HEAD} bytes", "the head is too large",
    producers="-", readers="-",
)  # fmt: skip
UNKNOWN_METHOD = define(
    501, f"this method is not known here: the methods are {', '.join(METHODS)}",
    "a method that the server does not implement, such as `PROPFIND`", producers="-", readers="-",
)  # fmt: skip
VERSION = define(
    505, "this server speaks HTTP/1.1 and HTTP/1.0", "another version of HTTP, also HTTP/2", producers="-", readers="-",
)  # fmt: skip

# Of both ports.

DENIED = define(
    401, "Access denied", "the token is wrong or missing", producers=OF_PRODUCERS, readers=f"{OF_A_LOG} logs"
)
FAILED = define(
    500, "the server failed; its log says more under {id}", "a bug in the server",
    producers=PRODUCERS, readers=READERS,
)  # fmt: skip
DISK_FAILED = define(
    500, "{operation} failed: {cause}", "the disk failed", producers=PRODUCERS, readers=READERS,
    example="reading the log failed: Input/output error; and others",
)  # fmt: skip
TOO_MANY_CONNECTIONS = define(
    503, "too many connections: try again later", "too many connections; with `Retry-After`, and the connection is closed",
    producers=PRODUCERS, readers=READERS,
)  # fmt: skip
NO_DESCRIPTORS = define(
    503, "{operation} failed: {cause}", "the process has no file descriptor left; with `Retry-After`",
    producers=PRODUCERS, readers=READERS,
    example="opening the log's file failed: Too many open files",
)  # fmt: skip
STOPPING = define(
    503, "the server is stopping", "a log would begin or resume while the server is stopping; with `Retry-After`",
    producers="put append",
)  # fmt: skip

# Of the producers' port.

BAD_CHUNK = define(
    400, "{fault}", "the chunked coding of the body is malformed (RFC 9112); the log is aborted",
    producers="put append",
    example="a chunk does not begin with its size in hexadecimal digits; and others",
)  # fmt: skip
BAD_ATTRIBUTE = define(
    400, "{reason}", "the exit code, a label or the title is not valid",
    producers="put update append",
    example="Livelog-Exit-Code is not a whole number of 32 bits; and others",
)  # fmt: skip
READ_WITH_GET = define(
    405, "this is read with GET or HEAD", "a method other than GET and HEAD for `/logs`, `/healthz`, `/readyz` or `/metrics`; with `Allow`",
    producers="link healthz readyz metrics",
)  # fmt: skip
ANOTHER_PRODUCER = define(
    409, "this log is being written by another producer: wait until that one has ended", "another producer is sending this log",
    producers="put",
)  # fmt: skip
LEASE_LOST = define(
    409, "this request may write the log no longer: another one took its place",
    "a producer sends again after another one has taken over its log", producers="put append",
)  # fmt: skip
TOO_MANY_LOGS = define(
    429, "the limit of {count} logs is reached (LIVELOG_MAX_LOGS), and all of them are in use",
    "`LIVELOG_MAX_LOGS` is reached, and no log can be removed; with `Retry-After`", producers="put",
)  # fmt: skip
NOT_READY = define(
    503, "no log can begin: {reason}", "`/readyz`, while no log can begin; with `Retry-After`", producers="readyz",
)  # fmt: skip
DISK_FULL = define(
    507, "{operation} failed: {cause}",
    "the disk is full, or a size limit is reached; a log that is being written is aborted after the bytes that were stored",
    producers="put update append",
    example="writing the log failed: No space left on device; and others",
)  # fmt: skip

NOT_AN_ATTEMPT = define(
    400, "the query parameter attempt is 0 for the newest log of a name, -1 for the one before it, and so on; it does not go with generation",
    "`?attempt=` is neither 0 nor negative, or is given together with `?generation=`", readers=OF_A_LOG, producers="remove",
)  # fmt: skip

# Of the readers' port.

NOT_A_NUMBER = define(
    400, "the query parameter {parameter} is not a whole number", "a query parameter is not a whole number",
    readers=f"{OF_A_LOG} logs",
)  # fmt: skip
READ_ONLY = define(
    405, "a log is read with GET or HEAD", "a method other than GET, HEAD and OPTIONS; with `Allow`", readers=READERS,
)  # fmt: skip
NOT_THIS_PAGE = define(
    412, "this is not the version that If-Match names", "`If-Match` names another version of the page or of the client",
    readers="view page livelog.pyz",
)  # fmt: skip


class Answer(NamedTuple):
    """The answer to an error. `kind`: the name under which metrics count it."""

    status: int
    kind: str
    content_type: str
    body: str


def of(error: Exception) -> RequestError | None:
    """The answer's error for `error`, which may know nothing of HTTP; None: it is a fault of the server."""
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
