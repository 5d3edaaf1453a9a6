"""The errors of the producers' port. No I/O.

Errors of both ports, and the mapping of errors of logs, are in `wire.problem`, which also describes `define`.
"""

from livelog.wire.problem import OF_PRODUCERS, PRODUCERS, define

NO_PATH = define(
    404, "there is nothing at this path: a log is sent with PUT to /log/ and its name, or to /log", "an unknown path",
    producers=OF_PRODUCERS.replace("methods ", ""),
)  # fmt: skip
EXPIRED = define(
    401, "this token has expired: ask for a new one", "the token of a prefix has expired", producers=OF_PRODUCERS,
)  # fmt: skip
CONTENT_RANGE = define(
    400, "a PUT with Content-Range is not supported: send the whole log in one body", "a PUT with `Content-Range`", producers="put",
)  # fmt: skip
NOT_A_NAME = define(
    400,
    "this is not a name for a log: a name is 1 to 8 segments of A-Z, a-z, 0-9, '.', '_', '~' and '-', "
    "joined by '/', none of them '.' or '..', at most 255 bytes",
    "the path does not hold a valid name", producers="put show update remove limits",
)  # fmt: skip
NO_OFFSET = define(
    400, "Upload-Offset must say where the content begins: a number of bytes", "`Upload-Offset` is missing or malformed",
    producers="append",
)  # fmt: skip
NO_COMPLETENESS = define(
    400, "Upload-Complete must say whether this is the end of the upload: ?1 or ?0",
    "`Upload-Complete` is missing or malformed", producers="append",
)  # fmt: skip
INCONSISTENT_LENGTH = define(
    400, "{reason}", "two announced lengths differ", producers="put append", registered="inconsistent-upload-length",
    example="Upload-Length is 5, but the content of this request ends at 7; and others",
)  # fmt: skip
WRONG_DIGEST = define(
    400, "the bytes that arrived do not match {field}: send them again",
    "the digest does not match the bytes", producers="put append", registered="digest-mismatching-values",
)  # fmt: skip
NOT_A_DIGEST = define(
    400, "the digest in {field} is not valid: {reason}", "the digest is malformed or has the wrong size", producers="put append",
    registered="digest-invalid-values",
)  # fmt: skip
NOT_A_DURATION = define(
    400, "the query parameter expires is not a duration above 0, such as 90, 1.5, 10m, 2h or 7d",
    "`?expires=` is not a duration", producers="show link",
)  # fmt: skip
OTHER_SITE = define(
    403, "pages of other sites may not write logs", "a page of another site sent the request: it has `Sec-Fetch-Site: cross-site`", producers=PRODUCERS,
)  # fmt: skip
FOREIGN_HOST = define(
    403, "this port answers to the names of this machine only, such as localhost",
    "the port is on loopback, and `Host` is not a name of this machine", producers=PRODUCERS,
)  # fmt: skip
NOT_BEGUN_BUT_LINK = define(
    404, "this log has not begun; its link is in Livelog-Link", "`GET` before the log begins", producers="show",
)  # fmt: skip
NO_LOG = define(
    404, "there is no log of that name", "`PATCH` or `DELETE` of a log that does not exist", producers="update remove",
)  # fmt: skip
NO_ATTEMPT = define(
    404, "this log is not kept, or not any more", "`DELETE` of an attempt or a generation that the server does not keep", producers="remove",
)  # fmt: skip
NO_UPLOAD = define(
    404, "there is no such upload: its log was replaced or removed, or never began",
    "the upload's address is wrong, or its log was replaced", producers="offset append give-up",
)  # fmt: skip
SENT_WITH_PUT = define(
    405, "a log is sent with PUT", "a method that a log does not have; with `Allow`", producers="put show",
)  # fmt: skip
POST_BEGINS_UPLOADS = define(
    405, "POST begins a resumable upload, with Upload-Complete: send a log with PUT",
    "`POST` without `Upload-Complete`; with `Allow`", producers="put",
)  # fmt: skip
APPENDED_BY_PATCH = define(
    405, "an upload is resumed with PATCH", "a method that an upload does not have; with `Allow`", producers="offset",
)  # fmt: skip
BEING_RECEIVED = define(
    409, "another log of this name is being received: wait until that one has begun",
    "a PUT with a digest is arriving for this name", producers="append give-up",
)  # fmt: skip
WRONG_OFFSET = define(
    409, "the upload has {offset} bytes: resume from there, not from {provided}", "`Upload-Offset` is not the current offset",
    producers="append", registered="mismatching-upload-offset",
)  # fmt: skip
UPLOAD_COMPLETE = define(
    409, "this upload is complete: nothing can be appended", "`PATCH` of an upload that is complete", producers="append",
)  # fmt: skip
LOG_ENDED = define(
    409, "this log has ended: its metadata cannot change any more", "`PATCH` of a log that has ended", producers="update",
)  # fmt: skip
LOG_WRITTEN = define(
    409, "this log is being written: end its producer first", "`DELETE` of a log while its producer is connected", producers="remove",
)  # fmt: skip
NOTHING_TO_CANCEL = define(
    409, "this upload is complete: DELETE the log itself to remove it", "`DELETE` of an upload that is complete",
    producers="give-up",
)  # fmt: skip
GIVEN_UP = define(
    410, "this upload was given up: {reason}", "the upload was given up, by its producer or after the grace time", producers="offset append give-up",
    example="this upload was given up: no producer came back within 60 s",
)  # fmt: skip
NO_LENGTH = define(
    411, "an HTTP/1.0 request must say how long its body is: send Content-Length", "HTTP/1.0 without `Content-Length`",
    producers="put append",
)  # fmt: skip
EXISTS = define(
    412, "this log exists, and If-None-Match forbids replacing it", "`If-None-Match: *`, and the log exists",
    producers="put update remove",
)  # fmt: skip
NOT_THIS_LOG = define(
    412, "this is not the log that If-Match names", "`If-Match`, and the log has another `ETag` or does not exist",
    producers="put update remove",
)  # fmt: skip
TOO_LARGE = define(
    413, "the log is larger than this server takes: at most {limit} bytes",
    "the log is larger than `LIVELOG_MAX_LOG_SIZE`; with `Upload-Limit`", producers="put append",
)  # fmt: skip
NO_BODY = define(
    415, "metadata is sent in header fields, such as Livelog-Exit-Code: send no body",
    "a `PATCH` of `/log/{name}` with a body", producers="update",
)  # fmt: skip
NOT_A_PART = define(
    415, "an upload is resumed with Content-Type: application/partial-upload",
    "a `PATCH` of an upload with another type", producers="append",
)  # fmt: skip
OTHER_CODING = define(
    501, "the only transfer coding understood is chunked", "a `Transfer-Encoding` other than `chunked`",
    producers="put append",
)  # fmt: skip
