"""`livelog health`: asks the server on this machine whether it is healthy, for the health check of a container or a supervisor.

It takes the port from the same settings as the server: LIVELOG_PUT_PORT and LIVELOG_PUT_HOST, or their flags. No token is needed.
It asks no server on another machine.
"""

import http.client
import ipaddress
import socket
import time
from collections.abc import Sequence

from livelog.config import EX_CONFIG
from livelog.errors import ConfigError

HEALTHY, UNHEALTHY = 0, 1
"""Exit codes. Docker allows no others."""

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""The address to ask if the server listens on every interface."""

LONGEST_ANSWER = 4096
"""Bytes of an answer that are read, at most."""

LONGEST_REASON = 300
"""Characters of an answer that are shown, at most."""


def ask(path: str, hosts: Sequence[str], port: int, timeout: float) -> tuple[int, str]:
    """Ask for `path`. Returns the exit code, and a line that says why. Raises: ConfigError, if `port` is 0, which is any free port.

    `hosts`: the addresses on which the server listens; the first that can be reached is asked. `timeout`: seconds for the whole call.
    """
    if not port:
        raise ConfigError("which port the server has chosen is not known here: set LIVELOG_PUT_PORT", EX_CONFIG)
    deadline, reasons = time.monotonic() + timeout, []
    for host in hosts or tuple(LOOPBACK):
        address = LOOPBACK.get(host, host)
        where = f"http://{f'[{address}]' if ipaddress.ip_address(address).version == 6 else address}:{port}"
        try:
            status, text = _get(address, port, path, deadline)
        except ConnectionError as error:
            reasons.append(f"{where}: {error.strerror or error}")
        except (OSError, http.client.HTTPException) as error:
            late, reason = isinstance(error, TimeoutError), _in_one_line(str(error) or type(error).__name__)
            return (
                UNHEALTHY,
                f"{where}: {f'no answer within {timeout:g} s' if late else f'no HTTP that can be read: {reason}'}",
            )
        else:
            if status == 200 and text == "ok":
                return HEALTHY, f"{where}: ok"
            return UNHEALTHY, f"{where}: {status} {text}"
    return UNHEALTHY, "; ".join(reasons)


def _get(host: str, port: int, path: str, deadline: float) -> tuple[int, str]:
    """The status and the text of an answer."""
    connection = http.client.HTTPConnection(host, port, timeout=_left(deadline))
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        assert isinstance(connection.sock, socket.socket)
        connection.sock.settimeout(_left(deadline))
        answer = connection.getresponse()
        body = answer.read(LONGEST_ANSWER)
        if answer.length and len(body) < LONGEST_ANSWER:
            raise http.client.IncompleteRead(body, answer.length)
        return answer.status, _in_one_line(body.decode(errors="replace"))
    finally:
        connection.close()


def _in_one_line(text: str) -> str:
    """`text` in one line of printable characters, cut to `LONGEST_REASON`."""
    words = " ".join(text[:LONGEST_REASON].split())
    return "".join(character if character.isprintable() else "?" for character in words)


def _left(deadline: float) -> float:
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return left
