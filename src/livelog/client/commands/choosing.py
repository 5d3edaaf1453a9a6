"""The logs that the words of a command name: links, names, prefixes such as builds/42/, and patterns such as 'builds/*/linux'.

In a pattern, * matches any characters including slashes, ? matches one character, and [...] one of those in it. Patterns and prefixes are looked up
in the list of logs, which needs ACCESS_TOKEN or the token of a prefix.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from livelog.client.api.lookup import Target, fetch, listing, locate, name_of
from livelog.client.settings import ClientSettings
from livelog.errors import Refused


class Chosen(NamedTuple):
    """A log that a word of the command names, and the name by which the output calls it."""

    name: str
    target: Target


def is_pattern(word: str) -> bool:
    """Whether a word is a prefix or a pattern, and so may name several logs."""
    return "://" not in word and (re.search(r"[*?\[]", word) is not None or word.endswith("/"))


def stem(word: str) -> str:
    """The text with which all names begin that a pattern can match."""
    return re.split(r"[*?\[]", word, maxsplit=1)[0]


def fits(name: str, words: Sequence[str]) -> bool:
    """Whether a name matches one of these patterns and prefixes. Without any, every name matches."""
    return not words or any(name.startswith(word) if word.endswith("/") else fnmatchcase(name, word) for word in words)


def label_query(labels: Sequence[str]) -> list[str]:
    """Labels in the form NAME or NAME=VALUE as values of the query parameter `label`."""
    return [label.replace("=", ":", 1) for label in labels]


def listed(settings: ClientSettings, query: "dict[str, Any]", most: int | None = None) -> Iterator[dict[str, Any]]:
    """The statuses of the logs that a `query` selects, newest first, at most `most`. Raises: ConfigError, ClientError."""
    before, left = None, most
    while left is None or left > 0:
        page_query = {**query, "limit": 1000 if left is None else min(left, 1000), "before": before}
        asked = urlencode({name: value for name, value in page_query.items() if value is not None}, doseq=True)
        page = fetch(listing(settings, f"?{asked}"))
        yield from page["logs"]
        left, before = None if left is None else left - len(page["logs"]), page["next"]
        if before is None:
            break


def choose(words: Sequence[str], labels: Sequence[str], settings: ClientSettings) -> Iterator[Chosen]:
    """The logs that some words name, in their order; those of a pattern in that of their names. `labels`: only for patterns.

    Without words, all that have the labels. Raises: ConfigError, ClientError; Refused, if a pattern stands for no log.
    """
    reported: set[str] = set()
    for word in words or ["*"]:
        if not is_pattern(word):
            name = (
                urlsplit(word).path.rstrip("/").partition("/log/")[2].partition("/")[2] or "-"
                if "://" in word
                else word
            )
            names, fixed = [name_of(name) or "-" if "://" not in word else name], locate(word, settings)
        else:
            query = {"prefix": stem(word) or None, "label": label_query(labels)}
            names = sorted(log["name"] for log in listed(settings, query) if fits(log["name"], [word]))
            fixed = None
            if not names:
                raise Refused(f"there is no log {word}" + (" with these labels" if labels else ""), 404)
        for name in names:
            if name not in reported:
                reported.add(name)
                yield Chosen(name or "-", fixed or locate(name or "-", settings))
