"""Signals of `livelog run`: which ones it handles, and whether a signal was sent to this process alone or to its process group.

The kernel does not say which (sigaction(2), siginfo_t), but the difference matters: the command has already got a signal that was sent to the
group, and must not get it again. So a second process, the witness, waits in the same group: it gets the signals of the
group, and no others. Some programs send a signal to each process of a job in turn, such as systemd to a unit, and
timeout(1) to its child and then to its group. Such a signal reaches the witness a moment later, so this process waits for it.
"""

import contextlib
import os
import signal
import socket

MOMENT = 0.05
"""Seconds within which a signal to a job reaches all its processes. A signal to this process alone is passed on with this delay."""

_OURS = {
    signal.SIGKILL, signal.SIGSTOP,  # cannot wait
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS,  # this process's own faults
    signal.SIGXCPU, signal.SIGXFSZ,  # this process's own limits
    signal.SIGPIPE, signal.SIGTTOU,
}  # fmt: skip

_JOB_CONTROL = {signal.SIGTSTP, signal.SIGTTIN}
"""The signals that stop the command together with this process, if they share a terminal: they are sent to the group."""


def block(*, terminal: bool) -> set[signal.Signals]:
    """Have signals wait, in this thread and those that it starts, for `Process.run`. Returns those that were blocked before.

    `terminal`: whether the command gets one of its own.
    """
    before = blocked()
    waiting = {*signal.valid_signals()} - _OURS - (set() if terminal else _JOB_CONTROL)
    # What was ignored (nohup) stays so, for the command, too. If SIGCHLD is, nobody is told how a command has ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {one for one in waiting if signal.getsignal(one) != signal.SIG_IGN})
    return before


def blocked() -> set[signal.Signals]:
    """The signals that this thread blocks."""
    return {*signal.pthread_sigmask(signal.SIG_BLOCK, ())}  # type: ignore[arg-type]  # those in real time have no names


class Witness:
    """A process in this process's group that knows which signals the group got. It must be created before any thread, and after `block`."""

    def __init__(self) -> None:
        self._socket, its = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            _testify(its.detach())
        its.close()

    def close(self) -> None:
        """End the witness."""
        self._socket.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def saw(self, number: int) -> bool:
        """Whether the group got the signal `number`, which this process has just got."""
        try:
            self._socket.send(bytes([number]))
            seen = self._socket.recv(1) == b"1"
        except OSError:  # somebody has killed it
            return False
        if seen:
            # Who has sent it to the group has often sent it to this process before: that is one signal (POSIX 2.4.1).
            signal.sigtimedwait({number}, MOMENT / 10)
        return seen


def _testify(asked: int) -> None:
    """The main loop of the witness: for each signal number that it reads, answer whether the signal came. Ends at the end of the descriptor."""
    try:
        os.closerange(0, asked)
        os.closerange(asked + 1, min(1 << 20, os.sysconf("SC_OPEN_MAX")))
        while number := os.read(asked, 1):
            # A group's processes get a signal in the reverse order of their age: this one before the one that asks.
            os.write(asked, b"1" if signal.sigtimedwait({number[0]}, MOMENT) is not None else b"0")
    finally:
        os._exit(0)


def end_as(code: int) -> int:
    """End this process as the command has ended: by the same signal, or by returning the exit code."""
    if code >= 0:
        return code
    import resource  # noqa: PLC0415  # rarely needed

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # it was not we
    if -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
    os.kill(os.getpid(), -code)
    return 128 - code  # it is one that is ignored by default, or this is the first process of a container
