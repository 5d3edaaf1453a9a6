"""A command, whose output goes where it would go anyway, unchanged, and to a log as well.

If stdout is a terminal, the command gets one of its own, of the same size and with the same settings, and this one only
passes on what is typed and what is shown. Otherwise it gets pipes: one for stdout and one for stderr, or one for both if
they are the same file, so that the order is kept. Stdin is the command's own unless it is the terminal.

The bytes of the log are those that the terminal gets. Refuses to know where the log goes. Invariants:

1. The command is treated as if this process were not there: signals, window size, end of output, `isatty`. A stream that
   takes nothing (a full device, a pipe whose reader has left) is the command's own, so that it hears of that itself.
2. It is never waited for after its end: what others, which it has left behind, write from then on is not passed on.
3. The terminal is as before at the end, however that comes.
4. Whoever becomes this process's child is waited for once it has ended: it may be the first process of a container.
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
"""Seconds without output after the command's end, after which there is taken to be no more."""

LATE = 1.0
"""Seconds after the command's end in which what it has left behind may still say something."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""By which people and service managers say that something shall end."""

ENDING_TAKES = 0.3
"""Seconds after the command's end, in which one of these was meant for the command."""

FOREGROUND = 0.1
"""Seconds between looks at whether a shell has brought this job to the foreground: of that no signal tells (bash)."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of shells for a command that cannot be started."""

Sink = Callable[[bytes], object]


class PseudoTerminal(NamedTuple):
    """The two ends of one, and the name of the command's end."""

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
        """Why output did not get to where it should, if not for the usual reason: that a pipe's reader has left."""
        self.refusals: dict[int, OSError] = {}
        """The streams that took nothing from the start, and why: the command has them as they are, the log has nothing of them."""
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
        """Whether a stream takes anything at all."""
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
        """Until the command has ended and its output is at its end. `outputs`: from where to where."""
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
        """Pass on what there is. Returns whether there may be more."""
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
        """Take what was typed. Returns whether there may be more."""
        assert self._outer is not None
        try:
            data = os.read(keyboard, 4096)
        except OSError:  # it is gone, or has become another job's, which may have given it back by now
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
        """Do what a signal that is about this process's terminal asks for. Returns whether it is one."""
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
        """Stop together: the command has a terminal of its own, from which it would not hear of it."""
        signal.pidfd_send_signal(self._child, signal.SIGSTOP)
        outer.leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        signal.pidfd_send_signal(self._child, signal.SIGCONT)

    def _reap(self) -> None:
        """Wait for children that have ended, but for the command."""
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
    """What shells exit with when a command cannot be started because of `error`."""
    return NOT_FOUND if isinstance(error, (FileNotFoundError, NotADirectoryError)) else NOT_EXECUTABLE


def _spawn(command: Sequence[str], actions: Sequence[object], mask: set[signal.Signals], *, leads: bool) -> int:
    """Start `command`. Raises: OSError."""
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
