"""What a test has a writer do with a log, in this process or in another one.

    python -m tests.seam.writing FOLDER FEED CONTROL

is that other process: it begins a log in the data directory FOLDER, feeds it to the socket with the descriptor FEED, and does
what comes by CONTROL: a line of JSON for each deed, answered by a line once it is done.
"""

import asyncio
import json
import socket
import sys

from livelog.config import Settings
from livelog.log.catalogue import Catalogue
from livelog.log.follower import Feeder
from livelog.log.info import LogInfo, State
from livelog.log.journal import Journal
from tests.unit.live import append

LIMIT = 16 * 1024 * 1024
"""Bytes of a line of JSON."""

NAME = "seam/log"

FIRST = b"there before anybody followed\n"
"""What a log has when it is begun to be followed."""


async def begun(folder: str) -> tuple[Catalogue, Journal]:
    """A log that has `FIRST` in it."""
    catalogue = Catalogue(Settings(access_token="x", data_dir=folder))
    journal = await catalogue.begin(LogInfo(NAME, "", 0))
    await append(journal, FIRST)
    return catalogue, journal


async def do(catalogue: Catalogue, journal: Journal, deed: str, argument: str) -> None:
    """Do one thing as a producer's request would have it done. `argument`: bytes as Latin-1, or the name of a state."""
    match deed:
        case "append":
            await append(journal, argument.encode("latin-1"))
        case "interrupt":
            journal.interrupt()
        case "resume":
            journal.resume()
        case "title":
            journal.info.attributes = journal.info.attributes.updated({"livelog-title": [argument]})
            await journal.save()
        case "end":
            await catalogue.end(journal, State(argument), "the test ended it")
        case "stop":
            journal.suspend()
        case "flood":
            while True:
                await append(journal, argument.encode("latin-1"))
        case _:
            raise ValueError(deed)


async def main(folder: str, feed: int, control: int) -> None:
    """Be the other process."""
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=control), limit=LIMIT)
    catalogue, journal = await begun(folder)
    feeder = Feeder(journal, socket.socket(fileno=feed))
    writer.write(b"begun\n")
    while line := await reader.readline():
        await do(catalogue, journal, *json.loads(line))
        writer.write(b"done\n")
    feeder.close()
    journal.release()
    catalogue.close()
    catalogue.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
