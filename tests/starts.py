"""Starts the command, which most tests of it do, at the cost of a fork where an own interpreter adds nothing to what is tested.

A process that is started takes 0.1 to 0.3 s of processor time to import its modules, thousands of times in a run. Where
`forked` is asked, it comes from a zygote (`zygote.py`) that has them: a real process with a number, signals, descriptors and an exit
status of its own, and a child of the one who asked. Tests of the start itself (settings, `--help`, packages, what happens at
the first instruction) start it by execve(2), and so does everything where TESTS_START is `exec`, as `make long` has it.
"""

import atexit
import ctypes
import marshal
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, AnyStr

EXEC = os.environ.get("TESTS_START") == "exec"

_SERVER = ("livelog.process", "livelog.server")
_CLIENT = tuple(f"livelog.client.commands.{name}" for name in ("dispatch", "run", "push", "tail", "look"))

_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "GLIBC_", "OPENSSL")
"""Variables that the interpreter, or a library, reads once: a process can come only from a zygote that has the same."""

_PR_SET_CHILD_SUBREAPER = 36

_lock = threading.Lock()
_zygotes: dict[tuple[Any, ...], "_Zygote"] = {}


def forked(
    options: Sequence[str],
    words: Sequence[str],
    environment: Mapping[str, str],
    stdin: int | IO[Any] | None,
    stdout: int | IO[Any] | None,
    stderr: int | IO[Any] | None,
    *,
    text: bool = False,
    wrapper: Sequence[str] = (),
) -> subprocess.Popen[Any]:
    """The command `livelog` with `words`, started with the interpreter's `options`; the rest is as `subprocess.Popen` has it.

    `wrapper`: a command that makes itself this one, as `prlimit --nofile=100` and `env` do: with one it is executed, not forked.
    """
    command = [*wrapper, sys.executable, *options, "-m", "livelog", *words]
    if EXEC or wrapper:
        return subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, text=text)
    return _Forked(options, words, command, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, text=text)


class _Zygote:
    """A zygote, and the socket to it."""

    def __init__(self, options: Sequence[str], modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self.link, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, *options, str(Path(__file__).with_name("zygote.py")), str(other.fileno()), *modules],
                env=environment,
                pass_fds=(other.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self.close)

    def start(self, given: dict[str, Any], descriptors: Sequence[int]) -> int:
        """A new process, which is this one's child. Returns its id."""
        # Only now: whoever else loses its parent goes to init, as ever.
        _subreaper(on=True)
        try:
            socket.send_fds(self.link, [marshal.dumps(given)], descriptors)
            return int(self.link.recv(32))
        finally:
            _subreaper(on=False)

    def close(self) -> None:
        """End it."""
        self.link.close()
        self._process.wait()


class _Forked(subprocess.Popen[AnyStr]):
    """A process that a zygote makes: all but its beginning is as `Popen` has it."""

    def __init__(self, options: Sequence[str], words: Sequence[str], command: Sequence[str], **streams: Any) -> None:
        self._options = options
        self._words = words
        super().__init__(command, **streams)

    def _execute_child(self, *arguments: Any) -> None:
        """In place of fork(2) and execve(2), with the descriptors of which Popen has made what was asked for."""
        folder, environment, ours = arguments[5], arguments[6], arguments[10:16]
        descriptors = [own if one < 0 else one for own, one in enumerate((ours[0], ours[3], ours[5]))]
        server = not self._words or self._words[0].startswith("-") or self._words[0] == "serve"
        at_start: dict[str, str] = {name: value for name, value in environment.items() if name.startswith(_AT_START)}
        key = (*self._options, server, *sorted(at_start.items()))
        given = {
            "words": [os.fsdecode(word) for word in self._words],
            "environment": dict(environment),
            "folder": os.fspath(folder or os.getcwd()),
            "umask": _umask(),
        }
        with _lock:
            if key not in _zygotes:
                at_start["PATH"] = os.environ.get("PATH", os.defpath)
                _zygotes[key] = _Zygote(self._options, _SERVER if server else _CLIENT, at_start)
            self.pid = _zygotes[key].start(given, descriptors)
        self._child_created = True
        self._close_pipe_fds(*ours)  # type: ignore[attr-defined]


def _umask() -> int:
    mask = os.umask(0o77)
    os.umask(mask)
    return mask


def _subreaper(*, on: bool) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
