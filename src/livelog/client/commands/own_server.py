"""The temporary server that `livelog run` starts if no server is configured. Its process is `livelog.embedded`.

Its sockets are opened here and passed to the process, so that its address is known, and connections are accepted, before the process has
started. The producers' port is on loopback. So is the readers' port, unless it is to be shared. If the server cannot start, the log is not
sent anywhere else.
"""

import contextlib
import fcntl
import math
import os
import secrets
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from livelog import own_process
from livelog.client.settings import ClientSettings
from livelog.errors import ClientError
from livelog.tokens import Access

START = 0.4
"""Seconds to wait until the server has started, or has said why it cannot."""

SIOCGIFADDR = 0x8915
"""The ioctl that returns the IPv4 address of an interface (netdevice(7))."""


class OwnServer:
    """A server for one log, which ends `keep` seconds after `close`. `share`: other machines can read from it.

    Makes no thread before `wait`. Raises: ClientError, if it cannot start.
    """

    def __init__(self, keep: float, *, share: bool) -> None:
        self.failed = False
        """Whether it ended before `close`."""
        self.host = "127.0.0.1"
        """The address for readers. With `share`, an address of this machine that other machines can reach, if it has one."""
        if share:
            self.host = reachable_address() or self.host
        self._closed = False
        self._lock = threading.Lock()
        self._waiting = True
        self._reason = ""
        self._token = secrets.token_urlsafe(24)
        if not own_process.exists("livelog.embedded"):
            raise ClientError("this is the client alone, which needs the address of a server in LIVELOG_SERVER")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.connect(("127.0.0.1", 9))  # sends nothing; fails where the loopback interface is down
            with socket.create_server(("127.0.0.1", 0)) as put, _readers_socket(share=self.host != "127.0.0.1") as get:
                self._put_port, self._get_port = put.getsockname()[1], get.getsockname()[1]
                self._process = self._start(keep, put, get)
        except OSError as error:
            raise ClientError(error.strerror or str(error)) from error

    def wait(self, on_failure: Callable[[str], object]) -> None:
        """Wait until it has started, for `START` seconds at most: then it is still starting, and takes connections already.

        `on_failure` is called, in a thread, with the reason if it ends later on, before `close`. Raises: ClientError, if it has
        ended by now.
        """
        settled = threading.Event()
        threading.Thread(target=self._watch, args=(settled, on_failure), name="own server", daemon=True).start()
        settled.wait(START)
        with self._lock:
            self._waiting = False
            if self.failed:
                raise ClientError(self._reason)

    @property
    def readers_url(self) -> str:
        """The beginning of links."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self._get_port}"

    def settings(self, settings: ClientSettings) -> ClientSettings:
        """The settings with which to reach it; the rest is from `settings`."""
        return replace(settings, server=f"http://127.0.0.1:{self._put_port}", write_token=None)

    def link(self, name: str, expires: float | None, resource: str = "log") -> str:
        """The link of the log `name`, which expires after so many seconds. `resource`: view for the viewer."""
        moment = None if expires is None else math.ceil(time.time() + expires)
        return Access(self._token).link(self.readers_url, name, moment, resource)

    def close(self) -> None:
        """Let it end after `keep` seconds. If this is process 1 of a container, wait for that: the container ends with it."""
        self._closed = True
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if os.getpid() == 1:
            self._process.wait()
        self._process.returncode = 0  # it is on its own from here on: not waited for

    def _start(self, keep: float, put: socket.socket, get: socket.socket) -> "subprocess.Popen[bytes]":
        arguments = (str(keep), str(put.fileno()), str(get.fileno()), self.readers_url)
        with own_process.nowhere() as nowhere:
            return subprocess.Popen(
                own_process.command("livelog.embedded", *arguments),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=nowhere, start_new_session=True,
                pass_fds=(put.fileno(), get.fileno()), env={**os.environ, "ACCESS_TOKEN": self._token},
            )  # fmt: skip

    def _watch(self, settled: threading.Event, on_failure: Callable[[str], object]) -> None:
        output = self._process.stdout
        assert output is not None
        line = output.readline().decode(errors="replace").strip()
        if " ready: " in line:
            settled.set()
            output.readline()
            line = ""
        with self._lock:
            self.failed, self._reason = not self._closed, line or "it has ended without a word"
            reports = self.failed and not self._waiting
        settled.set()
        if reports:
            on_failure(self._reason)


def _readers_socket(*, share: bool) -> socket.socket:
    if not share:
        return socket.create_server(("127.0.0.1", 0))
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))


def reachable_address() -> str:
    """The address from which this machine would reach others, IPv4 first; empty: there is none. Sends nothing."""
    # Addresses for documentation (RFC 5737, RFC 3849): the kernel only looks up its route to them.
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as one:
            one.connect((target, 9))
            return str(one.getsockname()[0])
    # Without a default route: that of some network which it is in.
    for _, interface in socket.if_nameindex():
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            answer = fcntl.ioctl(one, SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
            address = socket.inet_ntoa(answer[20:24])
            if not address.startswith("127."):
                return address
    return ""
