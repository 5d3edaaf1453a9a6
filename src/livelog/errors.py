"""Everything that can go wrong, as types. Nothing here does anything.

    LivelogError
    ├── ConfigError      a setting is wrong; `exit_code` is what the command exits with
    ├── RequestError     a client's request is refused; `status` is what HTTP answers
    │   └── FramingError the body of a request is not framed as RFC 9112 asks
    ├── DiskError        the disk refused; `cause` says how
    ├── InvalidAttribute a title, a label or an exit code cannot be kept; the message says which, and why
    ├── TooManyLogs      no log can begin: the limit of `count` logs is reached, and all of them are in use
    ├── Stopping         no log can begin or go on: the server is about to stop
    ├── LeaseTaken       somebody else writes the logs of that name
    ├── LeaseLost        somebody else may write the log by now: nothing is added to it under an older lease
    ├── ScanError        the lines of a log could not be looked at; `excess`: that would have taken too much
    ├── ScanRefused      they cannot be looked at in that way: the pattern is none
    └── ClientError      what a client of a server asked for cannot be had
        ├── Refused      the server refuses, and will go on refusing; `status` is what HTTP answered
        ├── GaveUp       the server could not be reached for as long as the client was willing to try
        ├── LogAborted   all bytes of the log were read, but it did not end as a complete one
        └── LogReplaced  there is another log under that name: what was read and what follows are not one log

Each message is one line without control characters, says what was wrong and what would be right, and holds no secret.
"""

import errno
from collections.abc import Mapping

STOPPED = "the server stopped"
"""Why something was broken off that was under way when the server stopped, in words."""


class LivelogError(Exception):
    """The root: anything livelog raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    r"""`text`, with an escape such as `\x1b` in place of each character that a terminal would not just show."""
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

    `status`: an HTTP status code, 4xx or 5xx. `headers`: what the answer must carry besides, such as `Allow`.
    `problem`: the name of a registered problem type (RFC 9457), such as `mismatching-upload-offset`; `members` are the
    extension members that it defines. `final`: what the request belonged to, an upload, cannot be gone on with.
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
    """The body's transfer coding is broken (RFC 9112 section 7.1): where it ends is unknown."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


class ClientError(LivelogError):
    """What a client asked for cannot be had."""


class Refused(ClientError):
    """The server refuses, and will go on refusing. `status`: an HTTP status code, 4xx or 5xx; 0: it told none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class GaveUp(ClientError):
    """The server could not be reached for as long as the client was willing to try."""


class LogAborted(ClientError):
    """All bytes of the log were read, but it did not end as a complete one: its producer failed, or gave it up."""


class LogReplaced(ClientError):
    """There is another log under that name by now: what was read and what would follow are not one log."""


class DiskError(LivelogError):
    """The disk did not take or give the bytes of a log. `cause` is the system's own error."""

    def __init__(self, operation: str, cause: OSError) -> None:
        self.operation, self.reason = operation, cause.strerror or str(cause)
        super().__init__(f"{operation} failed: {self.reason}")
        self.cause = cause

    @property
    def full(self) -> bool:
        """Whether there was no space left: on the device, in the quota, or below the file size limit."""
        return self.cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

    @property
    def passing(self) -> bool:
        """Whether it was for want of file descriptors, which others will give back."""
        return self.cause.errno in (errno.EMFILE, errno.ENFILE)


class InvalidAttribute(LivelogError):
    """What a producer tells of its log cannot be kept. The message names the header field that tells it, and what is wrong."""


class TooManyLogs(LivelogError):
    """No log can begin: there are `count`, as many as there may be, and all are in use."""

    def __init__(self, count: int) -> None:
        super().__init__(f"the limit of {count} logs is reached (LIVELOG_MAX_LOGS), and all of them are in use")
        self.count = count


class Stopping(LivelogError):
    """No log can begin or go on: the server is about to stop."""

    def __init__(self) -> None:
        super().__init__("the server is stopping")


class LeaseTaken(LivelogError):
    """Somebody else has the lease of a log's name, and writes it."""

    def __init__(self) -> None:
        super().__init__("this log is being written by another producer: wait until that one has ended")


class LeaseLost(LivelogError):
    """The lease under which a log was written is over: somebody else may write it by now. Nothing was added, and nothing ended."""

    def __init__(self) -> None:
        super().__init__("this request may write the log no longer: another one took its place")


class ScanError(LivelogError):
    """The process that looks at the lines of a log failed: what was asked for is not known.

    `excess`: because that takes more time or memory than it may; the message says which, of what was asked for.
    """

    def __init__(self, message: str, *, excess: bool = False) -> None:
        super().__init__(message)
        self.excess = excess


class ScanRefused(LivelogError):
    """The lines of a log cannot be looked at in that way: the message says why, perhaps in characters of the client's."""
