"""A relay that cuts a connection at a chosen byte, as a network does that fails.

Refuses to look into what it passes on. It cuts once; what comes later is passed on whole.
"""

import contextlib
import socket
import struct
import threading

ENDS_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER with which a socket is closed by a reset."""


class Relay:
    """Passes connections on to `server`, a port of this machine.

    `port`: its own. `cut`: the number of bytes from a client behind which its connection is cut, by resets in both
    directions. `answered`: cut that connection only when the server answers, and keep the answer back.
    """

    def __init__(self, server: int, cut: int, *, answered: bool) -> None:
        self._server = server
        self._cut = cut
        self._answered = answered
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self.port = int(self._listener.getsockname()[1])
        self.cuts = 0
        """How many connections were cut: none yet, or one."""
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                try:
                    server = socket.create_connection(("127.0.0.1", self._server))
                except OSError:  # it is not there now
                    client.close()
                    continue
                self._sockets += [client, server]
                received = [0]
                for source, sink in ((client, server), (server, client)):
                    pump = (source, sink, received, source is client)
                    threading.Thread(target=self._pump, args=pump, daemon=True).start()

    def close(self) -> None:
        """End all connections, and accept no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()  # or it could open one more connection after the others were closed
        self._listener.close()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _pump(self, source: socket.socket, sink: socket.socket, received: list[int], upwards: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                received[0] += len(data) if upwards else 0
                with self._lock:
                    cut = not self.cuts and received[0] >= self._cut and upwards is not self._answered
                    self.cuts += cut
                if cut:
                    sink.sendall(b"" if self._answered else data[: len(data) - (received[0] - self._cut)])
                    break
                sink.sendall(data)
            else:
                sink.shutdown(socket.SHUT_WR)
                return
        for connection in (source, sink):
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ENDS_AT_ONCE)
                connection.shutdown(socket.SHUT_RD)  # wakes the other thread
                connection.close()
