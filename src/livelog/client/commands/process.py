"""Runs a command whose output goes to its usual place, unchanged, and also to a log.

If stdout is a terminal, the command gets a pseudo-terminal of the same size and with the same settings, and this process passes on keys
and output. Otherwise the command gets pipes: one for stdout and one for stderr, or one for both if they are the same file, so that the
order is kept. Stdin is passed to the command itself, unless it is the terminal.

The bytes of the log are those that the terminal gets. `sink` decides where they go. Invariants:

1. The command is treated as if this process were not there: signals, window size, end of output, `isatty`. A stream that
   accepts nothing (a full device, a pipe whose reader has left) is passed to the command itself, which gets the error.
2. Nothing is waited for after the command's end: output of processes that it has left in the background is not passed on.
3. At the end, the terminal has the settings that it had before, however the end comes.
4. Each process that becomes a child of this one is reaped when it ends: this may be process 1 of a container.
"""

import contextlib
import errno
import math
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from livelog.client.transport.streams import READ_SIZE, has_no_reader, is_open, same_file, write_all
from livelog.client.transport.waiting import available, readable

from .outer_terminal import OuterTerminal
from .signals import Witness, blocked

QUIET = 0.05
"""Seconds without output after the command's end, after which the output counts as complete."""

LATE = 1.0
"""The limit of seconds after the command's end in which output of its background processes is still passed on."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""The signals by which people and service managers ask a process to end."""

ENDING_TAKES = 0.3
"""Seconds after the command's end in which such a signal was meant for the command."""

FOREGROUND = 0.1
"""Seconds between checks whether a shell (bash) has made this job the foreground job, of which there is no signal."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""The exit codes of shells for a command that cannot be started."""

Sink = Callable[[bytes], object]


class PseudoTerminal(NamedTuple):
    """A pseudo-terminal: the descriptors of its two ends, and the name of the command's end."""

    master: int
    slave: int
    name: str


class Process:
    """Runs `command` and gives its output to `sink`, too. `terminal`: see `open_terminal`. `witness`: it is closed at the end.

    `late` is called when a signal comes after the command's end.
    """

    def __init__(
        self,
        command: Sequence[str],
        sink: Sink,
        *,
        terminal: PseudoTerminal | None,
        witness: Witness,
        late: Callable[[], object] = lambda: None,
    ) -> None:
        self.trouble: OSError | None = None
        """Why output could not be written, in words; empty, also if the reader of a pipe has left."""
        self.refusals: dict[int, OSError] = {}
        """The streams that accepted nothing from the start, and why. The command has them itself, and the log has nothing of them."""
        self._command = command
        self._sink = sink
        self._terminal = terminal is not None
        self._witness = witness
        self._early: set[int] = set()  # signals that came before there was a command
        self._late = late
        self._pid = 0
        self._ended = math.inf
        self._child = -1  # a descriptor of the process: unlike its number, it is never another's
        self._master, self._slave, self._slave_name = terminal or (-1, -1, "")
        # `_slave` is held until the command's end: whoever lets go of its terminal for a while must not have lost it.
        self._typed = bytearray()
        self._outer = OuterTerminal() if terminal is not None else None
        # Wakes the relay when a signal has changed who has the keyboard. It is never closed: the thread may still write to it.
        self._changed = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) if terminal is not None else -1

    def run(self, mask: set[signal.Signals]) -> int:
        """Run to the command's end. Returns its exit code, negative: a signal's number. `mask`: from `signals.block`.

        Raises: OSError, if it cannot be started.
        """
        try:
            self._early = {*signal.sigpending()}
            if self._terminal:
                self._pid, outputs = self._start_on_terminal(mask)
            else:
                self._pid, outputs = self._start_on_pipes(mask)
            self._child = os.pidfd_open(self._pid)
            awaited = blocked() - mask
            threading.Thread(target=self._pass_signals_on, args=(awaited,), name="signals", daemon=True).start()
            if self._outer is not None:
                self._outer.enter()
            self._relay(outputs)
        finally:
            if self._outer is not None:
                self._outer.close()
            self._witness.close()
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        for output in outputs:
            os.close(output)
        return status

    # Starting.

    def _start_on_pipes(self, mask: set[signal.Signals]) -> tuple[int, dict[int, int]]:
        targets = [fd for fd in (1, 2) if self._is_to_be_relayed(fd)]
        together = len(targets) == 2 and same_file(1, 2)
        ends = {target: os.pipe() for target in targets[: 1 if together else 2]}
        actions = [(os.POSIX_SPAWN_DUP2, write_end, target) for target, (_, write_end) in ends.items()]
        if together:
            actions.append((os.POSIX_SPAWN_DUP2, 1, 2))
        try:
            pid = _spawn(self._command, actions, mask, leads=False)
        finally:
            for _, write_end in ends.values():
                os.close(write_end)
        return pid, {read_end: target for target, (read_end, _) in ends.items()}

    def _start_on_terminal(self, mask: set[signal.Signals]) -> tuple[int, dict[int, int]]:
        assert self._outer is not None
        if (settings := self._outer.settings()) is not None:
            termios.tcsetattr(self._slave, termios.TCSANOW, settings)
        if (size := self._outer.size()) is not None:
            termios.tcsetwinsize(self._slave, size)
        # The first terminal that the leader of a session opens becomes the one that controls it.
        first, *others = [fd for fd in (0, 1, 2) if fd == 1 or os.isatty(fd)]
        actions: list[tuple[object, ...]] = [
            (os.POSIX_SPAWN_OPEN, first, self._slave_name, os.O_RDWR, 0),
            *((os.POSIX_SPAWN_DUP2, first, other) for other in others),
        ]
        outputs = {self._master: 1}
        if 2 in others or not self._is_to_be_relayed(2):
            pid = _spawn(self._command, actions, mask, leads=True)
        else:
            read_end, write_end = os.pipe()
            outputs[read_end] = 2
            try:
                pid = _spawn(self._command, [*actions, (os.POSIX_SPAWN_DUP2, write_end, 2)], mask, leads=True)
            finally:
                os.close(write_end)
        os.set_blocking(self._master, False)
        return pid, outputs

    def _is_to_be_relayed(self, target: int) -> bool:
        """Whether a stream accepts bytes at all."""
        if not is_open(target):
            return False
        try:
            os.write(target, b"")
        except BlockingIOError:
            return True
        except OSError as error:
            self.refusals[target] = error
            return False
        return not has_no_reader(target)

    # Passing on.

    def _relay(self, outputs: dict[int, int]) -> None:
        """Pass on output until the command has ended and its output is complete. `outputs`: the descriptors to read and to write."""
        poll, outer = select.poll(), self._outer
        keyboard = outer.keyboard if outer is not None else -1
        for output, target in outputs.items():
            poll.register(output, select.POLLIN)
            if output != self._master:
                poll.register(target, 0)  # tells when its reader leaves
        poll.register(self._child, select.POLLIN)
        if outer is not None:
            poll.register(self._changed, select.POLLIN)
        ended, last = False, 0.0
        while outputs or not ended:
            pause = QUIET if ended else None
            if outer is not None:
                if outer.waits:
                    outer.enter()
                    pause = pause or FOREGROUND
                if keyboard >= 0:
                    # While the command does not read, neither is read what is typed.
                    poll.register(keyboard, select.POLLIN if outer.raw and len(self._typed) < READ_SIZE else 0)
                if self._master in outputs:
                    poll.register(self._master, select.POLLIN | (select.POLLOUT if self._typed else 0))
            events = poll.poll(None if pause is None else pause * 1000)
            if ended and (not events or (time.monotonic() > last and self._master not in outputs)):
                return
            for fd, event in events:
                if fd == self._child:
                    ended, self._ended = True, time.monotonic()
                    last = self._ended + LATE
                    poll.unregister(fd)
                    if self._slave >= 0:
                        os.close(self._slave)
                        self._slave = -1
                    # What it has said itself is passed on, however long that takes.
                    for output in outputs.keys() - {self._master}:
                        for _ in range(0, available(output), READ_SIZE):
                            self._pass_on(output, outputs[output])
                elif fd == self._changed:
                    os.eventfd_read(fd)
                elif fd == keyboard:
                    if not self._read_typed(keyboard):
                        poll.unregister(keyboard)
                        keyboard = -1
                elif fd in outputs:
                    if event & select.POLLOUT:
                        self._type()
                    if event & ~select.POLLOUT and not self._pass_on(fd, outputs[fd]):
                        poll.unregister(fd)
                        self._let_go(fd, outputs)
                elif fd in (1, 2):  # nobody will take what comes: the command shall hear of it
                    poll.unregister(fd)
                    for output in [output for output, target in outputs.items() if target == fd]:
                        if readable([output], 0):
                            self._pass_on(output, fd)
                        poll.unregister(output)
                        self._let_go(output, outputs)

    def _let_go(self, output: int, outputs: dict[int, int]) -> None:
        del outputs[output]
        os.close(output)
        if output == self._master:
            self._master = -1

    def _pass_on(self, output: int, target: int) -> bool:
        """Pass on the output that is there. Returns whether there may be more."""
        try:
            data = os.read(output, READ_SIZE)
        except BlockingIOError:
            return True
        except OSError:  # EIO: nobody has the other side of the terminal open any more
            return False
        if not data:
            return False
        self._sink(data)
        try:
            write_all(target, data)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.trouble = error
            # Nobody takes it: the command shall hear of it, as it would without us. Its pipe is closed.
            return output == self._master
        return True

    def _read_typed(self, keyboard: int) -> bool:
        """Pass on the keys that are there. Returns whether there may be more."""
        assert self._outer is not None
        try:
            data = os.read(keyboard, 4096)
        except OSError:  # it is gone, or another job has it or has had it since it was readable
            return self._outer.enter()
        self._typed += data
        return bool(data)

    def _type(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            del self._typed[: os.write(self._master, self._typed)]

    # Signals.

    def _pass_signals_on(self, awaited: set[signal.Signals]) -> None:
        while True:
            info = signal.sigwaitinfo(awaited)
            with contextlib.suppress(OSError, termios.error, ValueError):
                if info.si_signo == signal.SIGCHLD:
                    self._reap()
                elif self._outer is None or not self._show_terminal(info.si_signo, self._outer):
                    self._pass_signal_on(info.si_signo, from_terminal=info.si_code > 0)

    def _pass_signal_on(self, number: int, *, from_terminal: bool) -> None:
        group = self._witness.saw(number)
        if number in self._early:
            self._early.discard(number)
            group = False  # the command was not there yet
        if readable([self._child], 0):
            # One that has just ended has done so by this signal: that says nothing about the wait for the server.
            if number in ENDING and time.monotonic() > self._ended + ENDING_TAKES:
                self._late()
        elif not group:
            signal.pidfd_send_signal(self._child, number)
        elif self._terminal:  # then the command is in a group of its own
            os.killpg(os.tcgetpgrp(self._master) if from_terminal else self._pid, number)
        # Else the command has got it already.

    def _show_terminal(self, number: int, outer: OuterTerminal) -> bool:
        """Handle a signal that concerns this process's terminal. Returns whether it is one."""
        if number == signal.SIGWINCH:
            if (size := outer.size()) is not None:
                termios.tcsetwinsize(self._master, size)
        elif number == signal.SIGTSTP:
            self._stop(outer)
        elif number == signal.SIGCONT:
            outer.enter()
            os.eventfd_write(self._changed, 1)  # in the background the relay has to look now and then
        else:
            return number == signal.SIGTTIN
        return True

    def _stop(self, outer: OuterTerminal) -> None:
        """Stop the command, which would not get the signal on its own terminal, and this process."""
        signal.pidfd_send_signal(self._child, signal.SIGSTOP)
        outer.leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        signal.pidfd_send_signal(self._child, signal.SIGCONT)

    def _reap(self) -> None:
        """Reap the children that have ended, except the command."""
        while True:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None or ended.si_pid == self._pid:
                return
            os.waitpid(ended.si_pid, 0)


def open_terminal(wanted: bool | None) -> PseudoTerminal | None:
    """A terminal for a command, as `wanted`, or, if that is None, if stdout is one. None: it gets none.

    Raises: OSError, if the system has none to give, such as where /dev/pts is not mounted.
    """
    if not (os.isatty(1) if wanted is None else wanted):
        return None
    master, slave = os.openpty()
    try:
        name = os.ttyname(slave)
        os.close(os.open(name, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        os.close(master)
        os.close(slave)
        raise
    return PseudoTerminal(master, slave, name)


def exit_code(error: OSError) -> int:
    """The exit code of shells for a command that cannot be started because of `error`."""
    return NOT_FOUND if isinstance(error, (FileNotFoundError, NotADirectoryError)) else NOT_EXECUTABLE


def _spawn(command: Sequence[str], actions: Sequence[object], mask: set[signal.Signals], *, leads: bool) -> int:
    """Start `command` as a child process. Raises: OSError."""
    if not command[0]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    options = {
        "file_actions": actions,
        "setsid": leads,
        "setsigmask": mask,
        "setsigdef": (signal.SIGPIPE, signal.SIGXFSZ),  # Python ignores these; the command does not
    }
    try:
        return os.posix_spawnp(command[0], command, os.environ, **options)  # type: ignore[arg-type]
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script that does not say by which interpreter: shells take it for their own (POSIX, execlp).
        return os.posix_spawn("/bin/sh", ["sh", _found(command[0]), *command[1:]], os.environ, **options)  # type: ignore[arg-type]


def _found(name: str) -> str:
    import shutil  # noqa: PLC0415  # rarely needed

    return shutil.which(name) or name
