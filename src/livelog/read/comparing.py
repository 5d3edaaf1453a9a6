"""`/compare/{token}[/{name}]`: the lines of a log that an earlier log of the same name does not have.

The other log is the one that `?with=` names, else the newest earlier one that is complete with exit code 0. A scanner process reads both:
see `lines.comparing`. An answer is one page of JSON; each page is made anew.
"""

import json
import re
from collections.abc import Mapping

from livelog.lines.encodings import encoding_of
from livelog.lines.scanner import PIECE_SECONDS
from livelog.lines.workers import Scanners, Turns
from livelog.log.attempts import Which
from livelog.log.catalogue import Catalogue
from livelog.log.info import GENERATION, State
from livelog.log.source import Source
from livelog.wire.exchange import Exchange
from livelog.wire.fields import whole_number
from livelog.wire.link import leaving, unless_lost
from livelog.wire.response import Response

from . import problems
from .answers import json_text
from .finding import Finder

MAX_ON_PAGE = 10_000

DEFAULT_ON_PAGE = 1000

COMPARISONS = 1
"""The limit of comparisons that run at a time. Further ones wait."""

SECONDS = 8.0
"""The limit of processor time for each of both logs, in seconds: enough for about two million lines."""


class Comparing:
    """Answers requests to compare logs. `scanners`: the processes that read them."""

    def __init__(self, catalogue: Catalogue, scanners: Scanners) -> None:
        self._catalogue = catalogue
        self._finder = Finder(catalogue)
        self._scanners = scanners
        self._turns = Turns(COMPARISONS)

    async def answer(self, exchange: Exchange, journal: Source) -> Response:
        """Answer one request. Raises: RequestError, ScanError, DiskError, ConnectionError."""
        query = exchange.request.query
        usual = {"skip": "0", "limit": str(DEFAULT_ON_PAGE)}
        skip, limit = (whole_number(name, query.get(name, usual[name])) for name in usual)
        if not limit:
            raise problems.NOT_ABOVE_0.error(parameter="limit")
        other = await self._other(exchange, journal)
        try:
            state, length, other_state, other_length = journal.state, journal.length, other.state, other.length
            parameters = {
                "stop": length, "ended": state.ended, "known": other_length, "known_ended": other_state.ended, "skip": skip,
                "limit": min(limit, MAX_ON_PAGE), "encoding": encoding_of(journal.info.content_type), "seconds": SECONDS,
            }  # fmt: skip
            with leaving(exchange.connection):
                async with unless_lost(exchange.connection):
                    found, looked = await self._compare([journal, other], parameters)
        finally:
            other.release()
        kept = [log.info.generation for log in self._catalogue.attempts(journal.info.name)]
        generation = other.info.generation
        about = {
            "attempt": -kept.index(generation) if generation in kept else None, "generation": generation, "exit_code": other.info.attributes.exit_code,
            "size": other_length, "indexed": int(looked),
        }  # fmt: skip
        text = f'{found.decode("ascii")}, "with": {json.dumps(about)}}}\n'
        return json_text(text, {"ETag": journal.etag, "Livelog-State": state.value})

    async def _other(self, exchange: Exchange, journal: Source) -> Source:
        """The log to compare with, with its file open until `release`. Raises: RequestError, DiskError."""
        name, text = journal.info.name, exchange.request.query.get("with")
        if text is None:
            good = next((log for log in self._catalogue.attempts(name) if _is_good(log, journal)), None)
            if good is None:
                raise problems.NO_GOOD_ATTEMPT.error()
            which = Which(generation=good.info.generation)
        elif re.fullmatch("0|-[0-9]{1,9}", text, re.ASCII):
            which = Which(attempt=int(text))
        elif GENERATION.fullmatch(text):
            which = Which(generation=text)
        else:
            raise problems.NOT_COMPARABLE.error()
        while (log := await self._catalogue.open(name, which)) is None:
            await self._finder.find(exchange, name, which, 0)
        return log

    async def _compare(self, logs: list[Source], parameters: Mapping[str, object]) -> list[bytes]:
        """The parts that the job returns. Raises: ScanError, DiskError."""
        await self._turns.take()
        try:
            limit = 2 * (SECONDS + PIECE_SECONDS)
            scan = await self._scanners.begin("compare", logs, parameters, seconds=limit, reuse=False)
            try:
                found = []
                while (part := await scan.part()) is not None:
                    found.append(part)
                return found
            finally:
                scan.close()
        finally:
            self._turns.give_back()


def _is_good(log: Source, journal: Source) -> bool:
    """Whether `log` began before `journal`, and is complete with exit code 0."""
    is_earlier = log.info.order < journal.info.order
    return is_earlier and log.state is State.COMPLETE and log.info.attributes.exit_code == 0
