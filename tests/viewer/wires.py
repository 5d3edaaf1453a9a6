"""A relay between a browser and a server, which breaks connections, keeps them out, or keeps streams back, as told."""

import contextlib
import socket
import threading

from tests.conformance.link import Address


class Wire:
    """A relay to a server's port: `cut` breaks all connections, `refuse` keeps new ones out until `admit`.

    `prefix`: what paths begin with that the server does not know of. `buffering`: keep the bodies of answers that follow
    a log, or the list, back until they end, as some proxies do.
    """

    def __init__(self, server: Address, prefix: bytes = b"", *, buffering: bool = False) -> None:
        self._server = server
        self._prefix = prefix
        self._buffering = buffering
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._refused = False
        self._counting = threading.Lock()
        self.budget: int | None = None
        self.cuts = 0
        self.address = Address("127.0.0.1", self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                try:
                    server = socket.create_connection(("127.0.0.1", self._server.port))
                except OSError:  # it is not there now
                    client.close()
                    continue
                self._sockets += [client, server]
                if self._refused:  # looked at last: no connection slips through while `refuse` breaks the others
                    self.cut()
                followed = threading.Event()
                for source, sink, down in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pump, args=(source, sink, down, followed), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, down: bool, followed: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not down:
                    data = data.replace(b" %b/" % self._prefix, b" /", 1)
                    if self._buffering and (b"-9007199254740991" in data or b"as=events" in data):
                        followed.set()
                elif followed.is_set():
                    sink.sendall(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
                    while source.recv(65536):
                        pass
                    break
                allowed = self._allowed(len(data)) if down else len(data)
                sink.sendall(data[:allowed])
                if allowed < len(data):
                    break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _allowed(self, count: int) -> int:
        """How many of `count` bytes get through; if it is fewer, this is the cut."""
        with self._counting:
            if self.budget is None:
                return count
            allowed, rest = min(count, self.budget), self.budget - count
            self.budget = rest if rest >= 0 else None
            self.cuts += rest < 0
            return allowed

    def lead_to(self, server: Address) -> None:
        """Let new connections through to another server."""
        self._server = server

    def cut(self) -> None:
        """Break all connections."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut_after(self, count: int) -> None:
        """Break a connection in both directions, but let so many more bytes through to readers before."""
        self.budget = count

    def refuse(self) -> None:
        """Break all connections, and let no new one through."""
        self._refused = True
        self.cut()

    def admit(self) -> None:
        """Let new connections through again."""
        self._refused = False

    def close(self) -> None:
        """End."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        self.cut()
        for end in self._sockets:
            end.close()
