"""A search of many logs: the server lists them, and searches each.

    for hit in livelog.search("error", prefix="builds/42/", context=2):
        print(hit.name, hit.line, hit.text)

Only lines that were found are transferred, through broken connections, each once.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TypedDict, Unpack

from livelog.client.settings import ClientSettings, load
from livelog.client.transport.stream import Stream
from livelog.errors import LogReplaced, Refused

from .in_thread import each
from .listing import LogList, State
from .lookup import Target
from .reader import GIVE_UP
from .search import Hit, SearchOptions, query_of
from .search import search as search_one


class Which(TypedDict, total=False):
    """Which logs are searched, and how the server is asked, as in `ListOptions`."""

    url: str | None
    token: str | None
    prefix: str
    labels: Mapping[str, str | None] | None
    state: State | None
    give_up: float
    notice: Callable[[str], None] | None
    settings: ClientSettings | None


class Options(Which, SearchOptions, total=False):
    """The options of a search of many logs: those of `Which`, and those of a search of one log, except `follow`. `limit` is that of all logs together."""


def search(pattern: str, **options: Unpack[Options]) -> Iterator[Hit]:
    """The lines that have `pattern`, of the newest log of each name, the log that began last first. `Hit.name` says which log it is.

    A log that is removed or replaced meanwhile is left out from then on. Raises: ValueError, ConfigError, Refused (no link of a list); while
    iterating, Refused (status 401: wrong token), GaveUp.
    """
    return SearchOfMany(pattern, **options).hits()


def asearch(pattern: str, **options: Unpack[Options]) -> AsyncIterator[Hit]:
    """Like `search`, for asyncio."""
    found = SearchOfMany(pattern, **options)
    return each(found.hits(), found.close)


class SearchOfMany:
    """One search. Arguments: see `search`."""

    def __init__(
        self,
        pattern: str,
        *,
        url: str | None = None,
        token: str | None = None,
        prefix: str = "",
        labels: Mapping[str, str | None] | None = None,
        state: State | None = None,
        give_up: float = GIVE_UP,
        notice: Callable[[str], None] | None = None,
        settings: ClientSettings | None = None,
        **options: Unpack[SearchOptions],
    ) -> None:
        if options.get("follow"):
            raise ValueError("a search of many logs ends at the present end of each: follow=True is for one log")
        self._query = query_of(pattern, **options)
        self._settings = load() if settings is None else settings
        self._give_up, self._notice = give_up, notice
        self._logs = LogList(
            url=url, token=token, prefix=prefix, labels=labels, state=state, give_up=give_up, notice=notice,
            settings=self._settings,
        )  # fmt: skip
        self._stream: Stream | None = None
        self._closed = False

    def close(self) -> None:
        """End the iteration. May be called from any thread."""
        self._closed = True
        self._logs.close()
        if self._stream is not None:
            self._stream.close()

    def hits(self) -> Iterator[Hit]:
        """See `search`."""
        left = self._query.limit
        for log in self._logs.logs():
            if left == 0:
                return
            target = Target(log.link, None, self._settings).other("search")
            self._stream = stream = target.stream(self._give_up, self._notice)
            if self._closed:
                return
            query = self._query._replace(limit=left, generation=log.generation)
            try:
                for hit in search_one(stream, query, log.generation):
                    if left is not None and not hit.context:
                        left -= 1
                    yield hit._replace(name=log.name)
            except (LogReplaced, Refused) as error:
                if isinstance(error, Refused) and error.status not in (404, 412):
                    raise
