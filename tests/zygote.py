"""A zygote: a process that has imported what `livelog` imports, and forks a process per command, which need not import it again.

Run as a program, by `starts.py`. Arguments: a descriptor, and the modules to import. On the descriptor, a SOCK_SEQPACKET
socket, comes a message for each process: a marshalled dictionary, and with it the descriptors that become 0, 1 and 2. The answer
is the process id. The zygote ends with the socket.

The process is the child of whoever is subreaper above the zygote (prctl(2)), since its own parent ends at once. It has the
arguments, environment, folder, umask and descriptors that it was given, a number of its own, and runs `python -m livelog` to its
end: what differs from a process that was started by execve(2) is that modules are there already, and what /proc says of the
command line and the first environment.
"""

import gc
import io
import marshal
import os
import runpy
import socket
import sys
import time
from importlib import import_module
from typing import Any


def main() -> None:
    """Serve, and become each of the processes that were asked for."""
    link = socket.socket(fileno=int(sys.argv[1]))
    for module in sys.argv[2:]:
        import_module(module)
    gc.collect()
    gc.freeze()  # the collector of a child leaves alone, and so shared, what is there now
    given = _next_process(link)
    link.close()
    if given is None:
        return
    _become(*given)
    runpy.run_module("livelog", run_name="__main__", alter_sys=True)


def _next_process(link: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Returns in each new process, with what it shall be, and at the end, with nothing, in the zygote."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(link, 1 << 20, 3)
        if not message:
            return None
        reading, writing = os.pipe()
        between = os.fork()
        if not between:
            child = os.fork()
            if not child:
                os.close(reading)
                os.close(writing)
                return marshal.loads(message), descriptors  # noqa: S302  # from the tests
            os.write(writing, b"%d" % child)
            os._exit(0)
        os.waitpid(between, 0)  # from now on the child has its other parent
        link.send(os.read(reading, 32))
        for one in (reading, writing, *descriptors):
            os.close(one)


def _become(given: dict[str, Any], descriptors: list[int]) -> None:
    for number, one in enumerate(descriptors):
        os.dup2(one, number)
        os.close(one)
    os.chdir(given["folder"])
    os.umask(given["umask"])
    os.environ.clear()
    os.environ.update(given["environment"])
    time.tzset()
    sys.argv[:] = ["-m", *given["words"]]
    sys.path[0] = os.getcwd()  # as -m has it
    # As the interpreter makes them at its start.
    sys.stdin = sys.__stdin__ = _stream(0, "rb", sys.stdin)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "wb", sys.stdout)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "wb", sys.stderr)  # type: ignore[misc]


def _stream(number: int, mode: str, before: Any) -> Any:
    buffer = open(number, mode, closefd=False)  # noqa: SIM115
    interactive = number == 2 or os.isatty(number)
    return io.TextIOWrapper(buffer, before.encoding, before.errors, "\n", line_buffering=interactive)


if __name__ == "__main__":
    main()
