"""The terminal on which `livelog run` was started, while the command has a pseudo-terminal of its own.

The keyboard is stdin, or, if stdin is no terminal, the controlling terminal (`/dev/tty`), as it is for the command. While
livelog is the foreground job, the keyboard is in raw mode: keys are passed on, and the pseudo-terminal interprets them.
A terminal of another job is not touched. Invariant: the terminal has its old settings whenever livelog is not the foreground job.
"""

import contextlib
import os
import termios
import threading
import time
import tty
from pathlib import Path
from typing import Any

SETTLING = 3.0
"""Seconds after raw mode was set in which it is checked again: a shell (zsh) may first make this job the foreground job, and then set the
terminal."""

_SANE_INPUT = termios.BRKINT | termios.ICRNL | termios.IXON
_SANE_OUTPUT = termios.OPOST | termios.ONLCR
_SANE_LOCAL = termios.ISIG | termios.ICANON | termios.IEXTEN | termios.ECHO | termios.ECHOE | termios.ECHOK


class OuterTerminal:
    """The terminal of this process. `enter` and `leave` may be called from any thread."""

    def __init__(self) -> None:
        self.keyboard = _keyboard()
        """The descriptor from which keys are read, without waiting; -1: there is none."""
        self.raw = False
        """Whether the terminal is in raw mode. Keys are read only then."""
        self._fd = next((fd for fd in (self.keyboard, 1, 0, 2) if fd >= 0 and os.isatty(fd)), -1)
        self._foreign = self._fd >= 0 and not _controls_us(self._fd) and _controls_others(self._fd)
        self._before: list[Any] = []
        self._raw_settings: list[Any] = []
        self._settled = 0.0
        self._lock = threading.Lock()

    @property
    def waits(self) -> bool:
        """Whether `enter` must be called from time to time.

        This process may become the foreground job without a signal (`fg` of a running job), or has just become it: see `SETTLING`.
        """
        return self._fd >= 0 and not self._foreign and not (self.raw and time.monotonic() > self._settled)

    def size(self) -> tuple[int, int] | None:
        """The size of the window: rows and columns."""
        for fd in (1, self._fd):
            if fd >= 0 and os.isatty(fd):
                with contextlib.suppress(termios.error):
                    return termios.tcgetwinsize(fd)
        return None

    def settings(self) -> list[Any] | None:
        """The terminal's settings (termios(3)), as the command would find them without livelog."""
        if self._fd < 0:
            return None
        try:
            found = termios.tcgetattr(self._fd)
        except termios.error:
            return None
        if not self._in_foreground():
            # They are those of whoever is in the foreground, such as a shell's that edits its command line.
            found[0] |= _SANE_INPUT
            found[1] |= _SANE_OUTPUT
            found[3] |= _SANE_LOCAL
        return found

    def enter(self) -> bool:
        """Have the keyboard and the screen pass on everything as it is, if this is the foreground job.

        Returns whether there still is a terminal.
        """
        with self._lock:
            try:
                self._enter()
            except termios.error:
                self.raw = False
            return self._fd >= 0 and os.isatty(self._fd)

    def _enter(self) -> None:
        """Set raw mode. Raises: termios.error, if the terminal is gone."""
        if not os.isatty(1) or not self._in_foreground():
            self.raw = False
            return
        found = termios.tcgetattr(self._fd)
        if self.raw and found == self._raw_settings:
            return
        self._before = found
        if self.keyboard >= 0:
            tty.setraw(self._fd, termios.TCSADRAIN)
        else:
            unprocessed = termios.tcgetattr(self._fd)
            unprocessed[1] &= ~termios.OPOST
            termios.tcsetattr(self._fd, termios.TCSADRAIN, unprocessed)
        self._raw_settings = termios.tcgetattr(self._fd)
        self._settled = time.monotonic() + SETTLING
        self.raw = True

    def leave(self) -> None:
        """Restore the settings from before `enter`."""
        with self._lock:
            if self.raw and self._in_foreground():
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            self.raw = False

    def close(self) -> None:
        """Restore the settings, and never change them again."""
        self.leave()
        if self.keyboard > 2:
            os.close(self.keyboard)
        self.keyboard = self._fd = -1

    def _in_foreground(self) -> bool:
        if self._fd < 0 or self._foreign:
            return False
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # not the terminal that controls us: there is no background
            return True


def _keyboard() -> int:
    """A descriptor of the keyboard, or -1.

    A read never waits: between `poll` and `read` a shell may have taken the terminal and given it back in line mode. The flag for that belongs to all
    who share an open file, so the terminal is opened anew. It is shared only where that is forbidden: stdin may be another user's terminal (`su`).
    """
    if not os.isatty(0) and not os.isatty(1):
        return -1  # a pager may have the keyboard
    path = "/proc/self/fd/0" if os.isatty(0) and not _controls_us(0) else "/dev/tty"
    try:
        return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return 0 if os.isatty(0) else -1


def _controls_us(fd: int) -> bool:
    try:
        os.tcgetpgrp(fd)
    except OSError:
        return False
    return True


def _controls_others(fd: int) -> bool:
    """Whether the terminal `fd` controls another session, whose keyboard it is then."""
    device = os.fstat(fd).st_rdev
    minor = os.minor(device)
    number = (minor & 0xFF) | (os.major(device) << 8) | ((minor & ~0xFF) << 12)  # as proc(5) has it
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            if int(stat.read_bytes().rpartition(b")")[2].split()[4]) & 0xFFFFFFFF == number:
                return True
    return False
