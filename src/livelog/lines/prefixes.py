"""The prefixes that loggers and CI services write before the text of a line: times, names of services and jobs. No I/O.

A line may have several, such as `web-1  | 2026-11-28T02:03:04Z ERROR x`. What may be the text itself is no prefix: a level (`ERROR`), a
file's name.
"""

import re
from typing import NamedTuple

MAX_PREFIXES = 6
"""The limit of prefixes of one line."""

_TIME = r"(?:T|[ _])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?[ ]?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?(?:[ ]UTC)?"

_PREFIX = re.compile(
    # A service of docker compose, of foreman; a pod of kubectl; a step of BuildKit; one job of several in one stream.
    r"(?P<service>[a-z][\w./\-]{0,60}?[ ]{0,30}\|(?:[ ]|$)|\[pod/[\w./\-]{1,200}\][ ]|[A-Z]{2,20}\(\d{1,9}\)[ ]\|[ ]|\#\d{1,5}[ ](?:\d{1,6}\.\d{1,4}(?:[ ]|$))?"
    r"|(?:@?[a-z][\w\-./]{0,60}:)(?:build|test|lint|check|typecheck|dev):[\w\-:]{0,40}[ ]"
    r"|[^\t]{1,120}\t[^\t]{1,120}\t(?=\ufeff?\d{4}-\d\d-\d\dT))"
    # syslog, RFC 3164 and 5424
    r"|(?:<\d{1,3}>)?[A-Z][a-z]{2}[ ]{1,2}\d{1,2}[ ]\d\d:\d\d:\d\d(?:\.\d{1,9})?[ ](?!\d{4})[\w.\-:]{1,100}[ ][\w.\-/()@]{1,100}(?:\[\d{1,9}\])?:[ ]"
    r"|<\d{1,3}>1[ ]\d{4}-\d\d-\d\dT[\d:.+\-Z]{8,30}[ ]\S{1,255}[ ]\S{1,48}[ ]\S{1,128}[ ]\S{1,32}[ ](?:-|\[[^\]]{0,500}\])[ ]"
    # GitLab's runner, Buildkite, the byte order mark of GitHub's first line
    r"|\ufeff|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z[ ]\d\d[OE][+ ]?[ ]?|(?:\x1b)?_bk;t=\d{1,15}\x07?"
    # ISO 8601, in brackets of several kinds, with a word in front of it as Taskcluster has
    rf"|\[(?:[a-z:_\-]{{1,20}}[ ])?\d{{4}}[\-/]\d\d[\-/]\d\d{_TIME}\]:?[ ]?|\d{{4}}[\-/.]\d\d[\-/.]\d\d{_TIME}(?:[ ]-)?(?:[ :]|\t|$)"
    rf"|\(?\d{{4}}-\d\d-\d\d{_TIME}\)?(?:[ :]|\t)"
    # milliseconds since the epoch, before a tab
    r"|\d{13}\t"
    # as Hadoop writes it
    rf"|\d\d/\d\d/\d\d{_TIME}[ ]"
    # a time of the day; days and months as C writes them
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:[ ][+-]\d{4})?\]?[ ](?![ ]{0,9}--> )|\[[ ]{0,6}\d{1,8}\.\d{3,6}\][ ]"
    r"|\[?[A-Z][a-z]{2}[ ][A-Z][a-z]{2}[ ]{1,2}\d{1,2}[ ]\d\d:\d\d:\d\d(?:\.\d{1,9})?[ ]\d{4}\]?[ ]"
    r"|(?:[A-Z][a-z]{2}[ ]\d{1,2},?[ ]\d{4}[ ]|\d{1,2}[\-/][A-Z][a-z]{2}[\-/]\d{4}[ :])\d{1,2}:\d\d:\d\d(?:\.\d{1,9})?(?:[ ][AP]M)?[ ]"
    # what runs a compiler: ant, msbuild
    r"|\s{0,12}\[(?:javac|exec|java|kotlinc|scalac|groovyc|apt|cc|compc)\][ ]|\s{0,8}\d{1,4}>(?=[\w./\\])"
    # levels that say that it is none: what is behind them may be a program's own output
    r"|(?P<harmless>[ ]{0,5}(?:INFO|DEBUG)[ ]{1,3}-[ ][ ]?)",
    re.VERBOSE,
)


class Prefixed(NamedTuple):
    """A line, divided: `text` is what follows the prefixes, `service` the name of the service in a prefix, or empty."""

    text: str
    service: str
    harmless: bool
    """Whether a prefix contains a level of no problem, such as INFO."""


def strip(line: str) -> Prefixed:
    """Divide a line into its prefixes and its text."""
    place, service, harmless = 0, "", False
    for _ in range(MAX_PREFIXES):
        match = _PREFIX.match(line, place)
        if match is None or match.end() == place:
            break
        place = match.end()
        if match["service"] is not None:
            service = match["service"].split(" ")[0]  # BuildKit has a time behind it
        harmless |= match["harmless"] is not None
    return Prefixed(line[place:], service, harmless)
