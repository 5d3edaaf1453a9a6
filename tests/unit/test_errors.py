"""The error tree: who descends from whom, and the facts that each error carries."""

import errno

import pytest

from livelog.errors import (
    ClientError,
    ConfigError,
    DiskError,
    FramingError,
    GaveUp,
    InvalidAttribute,
    LeaseLost,
    LeaseTaken,
    LivelogError,
    LogAborted,
    LogReplaced,
    Refused,
    RequestError,
    ScanError,
    ScanRefused,
    Stopping,
    TooManyLogs,
)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConfigError("no", 78), LivelogError),
        (RequestError(404, "no"), LivelogError),
        (FramingError("no"), RequestError),
        (DiskError("reading", OSError("no")), LivelogError),
        (ClientError("no"), LivelogError),
        (ScanError("takes too long", excess=True), LivelogError),
        (ScanRefused("no"), LivelogError),
        (InvalidAttribute("no"), LivelogError),
        (TooManyLogs(7), LivelogError),
        (Stopping(), LivelogError),
        (LeaseTaken(), LivelogError),
        (LeaseLost(), LivelogError),
        *((kind("no"), ClientError) for kind in (Refused, GaveUp, LogAborted, LogReplaced)),
    ],
)
def test_every_error_descends_from_its_kind(error: LivelogError, kind: type[LivelogError]) -> None:
    assert isinstance(error, kind)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text é", "plain text é"),
        ("a\nb\x1b[31m\x7f", "a\\nb\\x1b[31m\\x7f"),
        ("\u202eabc\u2028\U000e0001", "\\u202eabc\\u2028\\U000e0001"),
        ("\udc80", "\\udc80"),
    ],
)
def test_a_message_shows_what_a_terminal_would_obey(text: str, shown: str) -> None:
    assert str(LivelogError(text)) == shown


def test_errors_carry_facts() -> None:
    headers = {"Allow": "PUT"}
    refused = RequestError(405, "send it with PUT", headers)
    headers.clear()
    assert (str(refused), refused.status, refused.headers) == ("send it with PUT", 405, {"Allow": "PUT"})
    assert RequestError(404, "nothing here").headers == {}
    typed = RequestError(409, "no", problem="mismatching-upload-offset", members={"expected-offset": 5}, final=True)
    assert (typed.problem, typed.members, typed.final) == ("mismatching-upload-offset", {"expected-offset": 5}, True)
    assert (refused.problem, refused.members, refused.final) == ("", {}, False)
    assert (FramingError("broken").status, str(FramingError("broken"))) == (400, "broken")
    assert ConfigError("wrong", 64).exit_code == 64
    assert (TooManyLogs(7).count, str(TooManyLogs(7))) == (
        7,
        "the limit of 7 logs is reached (LIVELOG_MAX_LOGS), and all of them are in use",
    )
    assert str(LeaseTaken()) == "this log is being written by another producer: wait until that one has ended"
    assert str(LeaseLost()) == "this request may write the log no longer: another one took its place"
    assert (Refused("no").status, Refused("no", 404).status) == (0, 404)


@pytest.mark.parametrize(
    ("cause", "message", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "writing failed: No space left on device", True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "writing failed: Disk quota exceeded", True),
        (OSError(errno.EFBIG, "File too large"), "writing failed: File too large", True),
        (OSError(errno.EIO, "Input/output error"), "writing failed: Input/output error", False),
        (OSError("the file is too short"), "writing failed: the file is too short", False),
    ],
)
def test_a_disk_error_says_what_the_system_said(cause: OSError, message: str, *, full: bool) -> None:
    error = DiskError("writing", cause)
    assert (str(error), error.cause, error.full) == (message, cause, full)


@pytest.mark.parametrize(("number", "passing"), [(errno.EMFILE, True), (errno.ENFILE, True), (errno.ENOSPC, False)])
def test_want_of_file_descriptors_passes(number: int, *, passing: bool) -> None:
    assert DiskError("opening", OSError(number, "no")).passing is passing
