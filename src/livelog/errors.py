"""The exceptions that livelog raises on purpose.

    LivelogError
    ├── ConfigError      a setting is wrong; `exit_code` is what the command exits with
    ├── RequestError     a request is answered with an error; `status` is the HTTP status
    │   └── FramingError the framing of a request's body breaks RFC 9112
    ├── DiskError        reading or writing failed; `cause` is the system's error
    ├── InvalidAttribute a title, a label or an exit code cannot be kept; the message says which, and why
    ├── TooManyLogs      no log can begin: the limit of `count` logs is reached, and all of them are in use
    ├── Stopping         no log can begin or go on: the server is about to stop
    ├── LeaseTaken       another request holds the lease of that name
    ├── LeaseLost        the lease is over: another request may write the log by now
    ├── ScanError        a job over the lines of a log failed; `excess`: it exceeded a limit of time or memory
    ├── ScanRefused      a job over the lines of a log is not possible: the pattern is not valid
    └── ClientError      a client cannot get what it asked for
        ├── Refused      the server refuses, and will go on refusing; `status` is the HTTP status
        ├── GaveUp       the server could not be reached within the client's patience
        ├── LogAborted   all bytes of the log were read, and it was aborted
        └── LogReplaced  another log has that name now: its bytes do not continue those that were read

Each message is one line without control characters. It says what is wrong and what would be right, and has no secret in it.
"""

import errno
from collections.abc import Mapping

STOPPED = "the server stopped"
"""The reason, in words, of a log or connection that was broken off because the server stopped."""


class LivelogError(Exception):
    """The base class of all exceptions that livelog raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    r"""`text` with each character that is not printable replaced by an escape such as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


class ConfigError(LivelogError):
    """A setting is missing or wrong: the server does not start."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class RequestError(LivelogError):
    """A request is answered with an error status.

    `status`: an HTTP status code, 4xx or 5xx. `headers`: further fields of the answer, such as `Allow`.
    `problem`: the name of a registered problem type (RFC 9457), such as `mismatching-upload-offset`; `members`: the
    extension members that it defines. `final`: the upload that the request belongs to cannot be resumed.
    """

    def __init__(
        self,
        status: int,
        message: str,
        headers: Mapping[str, str] | None = None,
        *,
        problem: str = "",
        members: Mapping[str, object] | None = None,
        final: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.problem = problem
        self.members = dict(members or {})
        self.final = final


class FramingError(RequestError):
    """The chunked coding of a body is malformed (RFC 9112 section 7.1), so the end of the body is not known."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


class ClientError(LivelogError):
    """A client cannot get what it asked for."""


class Refused(ClientError):
    """The server refuses, and will go on refusing. `status`: the HTTP status; 0: there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class GaveUp(ClientError):
    """The server could not be reached within the client's patience."""


class LogAborted(ClientError):
    """All bytes of the log were read, and it was aborted: its producer failed, or gave it up."""


class LogReplaced(ClientError):
    """Another log has that name now: its bytes do not continue those that were read."""


class DiskError(LivelogError):
    """Reading or writing a log failed. `cause`: the system's error."""

    def __init__(self, operation: str, cause: OSError) -> None:
        self.operation, self.reason = operation, cause.strerror or str(cause)
        super().__init__(f"{operation} failed: {self.reason}")
        self.cause = cause

    @property
    def full(self) -> bool:
        """Whether the cause is a lack of space: on the device, in the quota, or below the limit of a file's size."""
        return self.cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

    @property
    def passing(self) -> bool:
        """Whether the cause is a lack of file descriptors, which passes when others are closed."""
        return self.cause.errno in (errno.EMFILE, errno.ENFILE)


class InvalidAttribute(LivelogError):
    """An attribute of a log is not valid. The message names the header field, and what is wrong."""


class TooManyLogs(LivelogError):
    """No log can begin: there are `count` logs, the largest number allowed, and all of them are in use."""

    def __init__(self, count: int) -> None:
        super().__init__(f"the limit of {count} logs is reached (LIVELOG_MAX_LOGS), and all of them are in use")
        self.count = count


class Stopping(LivelogError):
    """No log can begin or go on: the server is about to stop."""

    def __init__(self) -> None:
        super().__init__("the server is stopping")


class LeaseTaken(LivelogError):
    """Another request holds the lease of the log's name, and writes the log."""

    def __init__(self) -> None:
        super().__init__("this log is being written by another producer: wait until that one has ended")


class LeaseLost(LivelogError):
    """The lease is over, and another request may write the log by now. The call that raises this has changed nothing."""

    def __init__(self) -> None:
        super().__init__("this request may write the log no longer: another one took its place")


class ScanError(LivelogError):
    """A job of the scanner process failed.

    `excess`: which job exceeded its limit of time or memory, in words; empty: it failed for another reason.
    """

    def __init__(self, message: str, *, excess: bool = False) -> None:
        super().__init__(message)
        self.excess = excess


class ScanRefused(LivelogError):
    """The scanner cannot do the job: the message says why, and may quote text that the client has sent."""
