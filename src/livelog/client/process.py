"""A command, whose output goes where it would go anyway, unchanged, and to a log as well.

If stdout is a terminal, the command gets one of its own, of the same size and with the same settings, and this one only
passes on what is typed and what is shown. Otherwise it gets pipes: one for stdout and one for stderr, or one for both if
they are the same file, so that the order is kept. Stdin is the command's own unless it is the terminal.

The bytes of the log are those that the terminal gets. Refuses to know where the log goes. Invariants:

1. The command is treated as if this process were not there: signals, window size, end of output, `isatty`.
2. It is never waited for after its end: what others, which it has left behind, write from then on is not passed on.
3. The terminal is as before at the end, however that comes.
"""

import array
import contextlib
import errno
import fcntl
import os
import select
import signal
import termios
import threading
import time
import tty
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .waiting import readable

if TYPE_CHECKING:
    import subprocess

BLOCK = 64 * 1024
"""Bytes read at once."""

QUIET = 0.05
"""Seconds without output after the command's end, after which there is taken to be no more."""

LATE = 1.0
"""Seconds after the command's end in which what it has left behind may still say something."""

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of shells for a command that cannot be started."""

Sink = Callable[[bytes], object]


class Process:
    """Runs `command` and gives its output to `sink`, too. `terminal`: see `has_terminal`.

    `late` is called when a signal comes after the command's end.
    """

    def __init__(
        self,
        command: Sequence[str],
        sink: Sink,
        *,
        terminal: bool,
        late: Callable[[], object] = lambda: None,
    ) -> None:
        self.trouble: OSError | None = None
        """Why output did not get to where it should, if not for the usual reason: that a pipe's reader has left."""
        self._command = command
        self._sink = sink
        self._terminal = terminal
        self._late = late
        self._child = -1  # a descriptor of the process: unlike its number, it is never another's
        self._master = -1
        # Held until the command's end: whoever lets go of its terminal for a while must not have lost it.
        self._slave = -1
        self._typed = bytearray()
        self._settings: list[Any] | None = None
        self._raw = False

    def run(self, mask: set[signal.Signals]) -> int:
        """Run to the command's end. Returns its exit code, negative: a signal's number. `mask`: from `block_signals`.

        Raises: OSError, if it cannot be started.
        """
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it is ignored, nobody is told how a command has ended
        if self._terminal:
            pid, outputs = self._start_on_terminal(mask)
        else:
            pid, outputs = self._start_on_pipes(mask)
        self._child = os.pidfd_open(pid)
        awaited = _blocked() - mask
        threading.Thread(target=self._pass_signals_on, args=(awaited,), name="signals", daemon=True).start()
        try:
            self._enter_terminal()
            self._relay(outputs)
        finally:
            self._leave_terminal()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        for output in outputs:
            os.close(output)
        return status

    # Starting.

    def _start_on_pipes(self, mask: set[signal.Signals]) -> tuple[int, dict[int, int]]:
        targets = [fd for fd in (1, 2) if _is_open(fd)]
        together = len(targets) == 2 and _same_file(1, 2)
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
        self._master, self._slave = os.openpty()
        outer = next((fd for fd in (1, 0, 2) if os.isatty(fd)), None)
        if outer is not None:
            termios.tcsetattr(self._slave, termios.TCSANOW, termios.tcgetattr(outer))
            termios.tcsetwinsize(self._slave, termios.tcgetwinsize(outer))
        # The first terminal that the leader of a session opens becomes the one that controls it.
        first, *others = [fd for fd in (0, 1, 2) if fd == 1 or os.isatty(fd)]
        actions: list[tuple[object, ...]] = [
            (os.POSIX_SPAWN_OPEN, first, os.ttyname(self._slave), os.O_RDWR, 0),
            *((os.POSIX_SPAWN_DUP2, first, other) for other in others),
        ]
        outputs = {self._master: 1}
        if 2 in others or not _is_open(2):
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

    # Passing on.

    def _relay(self, outputs: dict[int, int]) -> None:
        """Until the command has ended and its output is at its end. `outputs`: from where to where."""
        poll, typing = select.poll(), self._terminal and os.isatty(0)
        for output in outputs:
            poll.register(output, select.POLLIN)
        poll.register(self._child, select.POLLIN)
        ended, last = False, 0.0
        while outputs or not ended:
            if typing:
                # While the command does not read, neither is read what is typed.
                poll.register(0, select.POLLIN if self._raw and len(self._typed) < BLOCK else 0)
                if self._master in outputs:
                    poll.register(self._master, select.POLLIN | (select.POLLOUT if self._typed else 0))
            events = poll.poll(QUIET * 1000 if ended else None)
            if ended and (not events or (time.monotonic() > last and self._master not in outputs)):
                return
            for fd, event in events:
                if fd == self._child:
                    ended, last = True, time.monotonic() + LATE
                    poll.unregister(fd)
                    if self._slave >= 0:
                        os.close(self._slave)
                    # What it has said itself is passed on, however long that takes.
                    for output in outputs.keys() - {self._master}:
                        for _ in range(0, _available(output), BLOCK):
                            self._pass_on(output, outputs[output])
                elif fd == 0:
                    typing = self._read_typed()
                    if not typing:
                        poll.unregister(0)
                else:
                    if event & select.POLLOUT:
                        self._type()
                    if event & ~select.POLLOUT and not self._pass_on(fd, outputs[fd]):
                        del outputs[fd]
                        poll.unregister(fd)
                        os.close(fd)

    def _pass_on(self, output: int, target: int) -> bool:
        """Pass on what there is. Returns whether there may be more."""
        try:
            data = os.read(output, BLOCK)
        except BlockingIOError:
            return True
        except OSError:  # EIO: nobody has the other side of the terminal open any more
            return False
        if not data:
            return False
        self._sink(data)
        try:
            _write_all(target, data)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.trouble = error
            # Nobody takes it: the command shall hear of it, as it would without us. Its pipe is closed.
            return output == self._master
        return True

    def _read_typed(self) -> bool:
        try:
            data = os.read(0, 4096)
        except OSError:
            return False
        self._typed += data
        return bool(data)

    def _type(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            del self._typed[: os.write(self._master, self._typed)]

    # Signals.

    def _pass_signals_on(self, awaited: set[signal.Signals]) -> None:
        while True:
            info = signal.sigwaitinfo(awaited)
            number, from_terminal = signal.Signals(info.si_signo), info.si_code > 0
            try:
                if readable([self._child], 0):
                    self._late()
                elif number is signal.SIGWINCH:
                    termios.tcsetwinsize(self._master, termios.tcgetwinsize(1))
                elif number is signal.SIGTSTP:
                    self._stop()
                elif number is signal.SIGCONT:
                    self._enter_terminal()
                elif not from_terminal:
                    signal.pidfd_send_signal(self._child, number)
                elif self._terminal:
                    os.killpg(os.tcgetpgrp(self._master), number)
                # Else the terminal has sent it to the command, too.
            except (OSError, termios.error):
                continue

    def _stop(self) -> None:
        """Stop together: the command has a terminal of its own, from which it would not hear of it."""
        signal.pidfd_send_signal(self._child, signal.SIGSTOP)
        self._leave_terminal()
        os.kill(os.getpid(), signal.SIGSTOP)
        signal.pidfd_send_signal(self._child, signal.SIGCONT)

    # Our terminal.

    def _enter_terminal(self) -> None:
        """Have the terminal pass on everything as it is, if it is ours: not that of a job in the background."""
        if not self._terminal or not os.isatty(1) or self._raw:
            return
        try:
            with contextlib.suppress(OSError):  # not the terminal that controls us: there is no background
                if os.tcgetpgrp(1) != os.getpgrp():
                    return
            self._settings = termios.tcgetattr(1)
            if os.isatty(0):
                tty.setraw(1, termios.TCSADRAIN)
            else:
                unprocessed = termios.tcgetattr(1)
                unprocessed[1] &= ~termios.OPOST
                termios.tcsetattr(1, termios.TCSADRAIN, unprocessed)
            self._raw = True
        except termios.error:  # it is gone
            return

    def _leave_terminal(self) -> None:
        if self._raw and self._settings is not None:
            self._raw = False
            with contextlib.suppress(termios.error):
                termios.tcsetattr(1, termios.TCSADRAIN, self._settings)


def hold_closed_streams() -> None:
    """Have those of stdin, stdout and stderr that are closed stay so: else the next file or socket would become one."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open("/dev/null", os.O_PATH)  # can be neither read nor written, and takes the lowest number


def has_terminal(wanted: bool | None) -> bool:
    """Whether a command gets a terminal: as `wanted`, or, if that is None, if stdout is one."""
    return os.isatty(1) if wanted is None else wanted


def block_signals(*, terminal: bool) -> set[signal.Signals]:
    """Have signals wait for `Process.run`, in this thread and those that it starts. Returns those that were blocked before.

    `terminal`: whether the command gets one; without, the kernel tells it itself of what concerns a terminal.
    """
    before = _blocked()
    passed_on = {*PASSED_ON, *((signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT) if terminal else ())}
    # What was ignored (nohup) stays so, for the command, too.
    signal.pthread_sigmask(signal.SIG_BLOCK, {one for one in passed_on if signal.getsignal(one) != signal.SIG_IGN})
    return before


def _blocked() -> set[signal.Signals]:
    return {*map(signal.Signals, signal.pthread_sigmask(signal.SIG_BLOCK, ()))}


def exit_code(error: OSError) -> int:
    """What shells exit with when a command cannot be started because of `error`."""
    return NOT_FOUND if isinstance(error, (FileNotFoundError, NotADirectoryError)) else NOT_EXECUTABLE


def end_as(code: int) -> int:
    """End this process as the command has ended: by the same signal if it was one. Returns an exit code else."""
    if code >= 0:
        return code
    import resource  # noqa: PLC0415  # rarely needed

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # it was not we
    if -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
    os.kill(os.getpid(), -code)
    return 128 - code  # it is one that is ignored by default


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


def _same_file(one: int, other: int) -> bool:
    try:
        first, second = os.fstat(one), os.fstat(other)
    except OSError:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _is_open(fd: int) -> bool:
    """Whether a stream is not one that `hold_closed_streams` holds."""
    return not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH


def _available(pipe: int) -> int:
    """How many bytes are in it."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def _write_all(fd: int, data: bytes) -> None:
    """Write `data`. Raises: OSError."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])


def run(command: Sequence[str], name: str | None = None, **options: Any) -> "subprocess.CompletedProcess[None]":
    """Run `command` with its output, stdout and stderr together, going to the log `name`, and nowhere else.

    `options`: those of `Writer`. Its exit code is told to readers; by a signal, 128 and its number. Raises: OSError, if it
    cannot be started; what `Writer` raises.
    """
    import subprocess  # noqa: PLC0415  # the command has no need of it

    from .writer import Writer, new_name  # noqa: PLC0415

    with (
        Writer(name or new_name(command[0]), **options) as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child,
    ):
        assert child.stdout is not None
        while data := os.read(child.stdout.fileno(), BLOCK):
            log.write(data)
        code = child.wait()
        log.exit_code = code if code >= 0 else 128 - code
    return subprocess.CompletedProcess(command, code)
