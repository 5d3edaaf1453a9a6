"""What grants leases, in this process or in another one, and can be lost."""

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from livelog.log.leases import Leases, LocalLeases

from .granting import RemoteLeases


class Here:
    """A granter in this process. When it is lost, whoever had a lease still believes in it."""

    leases: Leases

    async def begin(self, above: int) -> None:
        """Grant leases, anew: their numbers are larger than `above`."""
        self.leases = LocalLeases(above)

    async def other(self) -> Leases:
        """The leases of another client, to whom the same names matter."""
        return self.leases

    async def be_lost(self) -> None:
        """Nothing is known any more of the leases that there were."""

    async def close(self) -> None:
        """It is not needed any more."""


class Elsewhere:
    """A granter that is another process."""

    leases: Leases

    def __init__(self) -> None:
        self._clients: list[RemoteLeases] = []

    async def begin(self, above: int) -> None:
        """See `Here.begin`."""
        # A name in the abstract namespace, which goes with the socket.
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(b"")
            listener.listen()
            self._address = listener.getsockname()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "error", "-m", "tests.seam.granting", str(above), str(listener.fileno()),
                pass_fds=[listener.fileno()], cwd=Path(__file__).parents[2],
            )  # fmt: skip
        self.leases = await self.other()

    async def other(self) -> Leases:
        """See `Here.other`: by a connection of its own."""
        client = RemoteLeases(*await asyncio.open_unix_connection(self._address))
        self._clients.append(client)
        return client

    async def be_lost(self) -> None:
        """It is killed, with SIGKILL."""
        self._process.kill()
        await self._process.wait()

    async def close(self) -> None:
        """See `Here.close`."""
        if self._process.returncode is None:
            await self.be_lost()
        for client in self._clients:
            await client.close()


Granter = Here | Elsewhere

over_both = pytest.mark.parametrize("kind", [Here, Elsewhere], ids=["this process", "another process"])
"""A test runs over both implementations."""
