"""`livelog.run`: run a command and send its output to a log, like `subprocess.run` with a log instead of a pipe."""

import codecs
import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

from livelog.client.transport.streams import READ_SIZE
from livelog.client.transport.waiting import available

from .writer import Writer, new_name

Argument = str | os.PathLike[str]


def run(
    command: Sequence[Argument],
    name: str | None = None,
    *,
    cwd: Argument | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | str | None = None,  # noqa: A002  # as in `subprocess.run`
    check: bool = False,
    timeout: float | None = None,
    show: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[None]:
    """Run `command`, and send its output, stdout and stderr together, to the log `name`.

    `cwd`, `env`, `input`, `check` and `timeout` (seconds) are those of `subprocess.run`. `show`: also write the output to
    `sys.stdout`. `options`: those of `Writer`. The log gets the exit code; for a signal, 128 plus its number.
    Returns when the command has ended; processes that it has started in the background are not waited for. Raises: OSError, if it
    cannot be started; CalledProcessError, if `check` is set and it has failed; TimeoutExpired, after the command was killed and the
    log aborted; the errors of `Writer`.
    """
    words = [os.fspath(word) for word in command]
    with Writer(name or new_name(words[0]), **options) as log:
        child = subprocess.Popen(
            words, cwd=cwd, env=env, stdin=None if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            if child.stdin is not None:
                content = input.encode() if isinstance(input, str) else input
                threading.Thread(target=_feed, args=(child.stdin, content), daemon=True).start()
            _relay(child, _Sink(log, show=show), timeout)
        except BaseException:
            child.kill()
            raise
        finally:
            code = child.wait()
            log.exit_code = code if code >= 0 else 128 - code
            assert child.stdout is not None
            child.stdout.close()
    done = subprocess.CompletedProcess[None](words, code)
    if check:
        done.check_returncode()
    return done


class _Sink:
    """The log, and the program's own output if it is wanted there."""

    def __init__(self, log: Writer, *, show: bool) -> None:
        self._log = log
        self._show = show
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def write(self, data: bytes) -> None:
        self._log.write(data)
        if self._show:
            if (binary := getattr(sys.stdout, "buffer", None)) is not None:
                sys.stdout.flush()
                binary.write(data)
            else:  # a notebook's
                sys.stdout.write(self._decoder.decode(data))
            sys.stdout.flush()


def _feed(stdin: IO[bytes], content: bytes | None) -> None:
    with contextlib.suppress(BrokenPipeError), stdin:
        stdin.write(content or b"")


def _relay(child: subprocess.Popen[bytes], sink: _Sink, timeout: float | None) -> None:
    """Pass on the output until the command has ended. Raises: TimeoutExpired."""
    assert child.stdout is not None
    output, process = child.stdout.fileno(), os.pidfd_open(child.pid)
    deadline = None if timeout is None else time.monotonic() + timeout
    poll = select.poll()
    poll.register(output, select.POLLIN)
    poll.register(process, select.POLLIN)
    try:
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = {fd for fd, _ in poll.poll(None if left is None else left * 1000)}
            if not ready:
                assert timeout is not None
                raise subprocess.TimeoutExpired(child.args, timeout)
            if process in ready:
                # What it has written is in the pipe; what others write from now on, which it has left running, is not waited for.
                for _ in range(0, available(output), READ_SIZE):
                    sink.write(os.read(output, READ_SIZE))
                return
            data = os.read(output, READ_SIZE)
            sink.write(data)
            if not data:
                poll.unregister(output)
    finally:
        os.close(process)
