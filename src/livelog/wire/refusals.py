"""From whatever goes wrong to one answer and one log line with the same id. Neither holds a secret."""

import logging
import secrets
from collections import Counter
from collections.abc import Mapping

from livelog.errors import DiskError, RequestError

from . import problem
from .access_log import LOGGER
from .problem import RETRY_AFTER
from .response import Response

logger = logging.getLogger(LOGGER)


class Refusals:
    """The errors that one port answers with, and how many of them there were. `headers` are on each of them."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self.counts: Counter[str] = Counter()
        """How many requests were refused, by reason: a problem type, or what HTTP calls the status."""

    def response(self, error: Exception, accept: str) -> Response:
        """The answer that tells of `error`; see `problem.answer` for `accept`."""
        error_id, fault = secrets.token_hex(4), None
        if isinstance(error, DiskError):
            told = _told_of_disk(error)
        elif isinstance(error, RequestError):
            told = error
        else:
            told, fault = problem.FAILED.error(id=error_id), error
        level = _level(told.status)
        if fault is not None:
            logger.log(level, "error %s: %d a fault of the server", error_id, told.status, exc_info=fault)
        else:
            logger.log(level, "error %s: %d %s", error_id, told.status, told)
        answer = problem.answer(told, accept)
        self.counts[answer.kind] += 1
        headers = {
            "Content-Type": f"{answer.content_type}; charset=utf-8",
            **self._headers, **told.headers, "Livelog-Error": error_id,
        }  # fmt: skip
        return Response(answer.status, headers, answer.body.encode())


def _told_of_disk(error: DiskError) -> RequestError:
    """What a client is told of a disk that refused."""
    if error.passing:
        return problem.NO_DESCRIPTORS.error(RETRY_AFTER, operation=error.operation, cause=error.reason)
    kind = problem.DISK_FULL if error.full else problem.DISK_FAILED
    return kind.error(operation=error.operation, cause=error.reason)


def _level(status: int) -> int:
    """How serious a refusal is to the operator: 500 and 507 are for him to mend, the other 5xx worth a look."""
    if status in (500, 507):
        return logging.ERROR
    return logging.WARNING if status >= 500 else logging.INFO
