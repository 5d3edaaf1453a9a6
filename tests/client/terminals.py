"""A terminal as a person has it: a command in front of it, what was typed, and every byte that was shown."""

import contextlib
import os
import pty
import select
import termios
import time
from collections.abc import Iterator, Mapping, Sequence

from tests.harness import TIMEOUT


class Terminal:
    """A terminal of `rows` × `columns`, at whose keyboard a test sits. `screen`: all bytes that were shown so far."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, rows: int, columns: int) -> None:
        self.screen = b""
        sized, go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.close(go)
            os.read(sized, 1)  # a program looks at the size when it starts
            os.execvpe(command[0], list(command), environment)
        os.close(sized)
        termios.tcsetwinsize(self.fd, (rows, columns))
        os.close(go)

    def type(self, keys: bytes) -> None:
        """Type."""
        os.write(self.fd, keys)

    def resize(self, rows: int, columns: int) -> None:
        """Make the window another size."""
        termios.tcsetwinsize(self.fd, (rows, columns))

    def is_raw(self) -> bool:
        """Whether what is written is shown as it is."""
        return not termios.tcgetattr(self.fd)[1] & termios.OPOST

    def wait_for(self, text: bytes) -> None:
        """Wait until `text` was shown."""
        deadline = time.monotonic() + TIMEOUT
        while text not in self.screen:
            assert self._receive(deadline), f"ended without {text!r}: {self.screen!r}"

    def wait_end(self) -> int:
        """Wait for the command's end. Returns its exit code, negative: a signal's number."""
        deadline = time.monotonic() + TIMEOUT
        while self._receive(deadline):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def _receive(self, deadline: float) -> bool:
        ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more is shown: {self.screen!r}"
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # nobody has the terminal open any more
            return False
        self.screen += data
        return bool(data)


@contextlib.contextmanager
def terminal(
    command: Sequence[str], environment: Mapping[str, str], *, rows: int = 24, columns: int = 80
) -> Iterator[Terminal]:
    """A terminal in which `command` runs; it is killed at the end if it still does."""
    made = Terminal(command, {"TERM": "xterm-256color", **environment}, rows=rows, columns=columns)
    try:
        yield made
    finally:
        if made.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(made.pid, 9)
            os.waitpid(made.pid, 0)
        os.close(made.fd)
