"""Errors of requests: each becomes one answer and one line of the server's log, with the same error id. Neither has a secret in it."""

import logging
import os
from collections import Counter
from collections.abc import Mapping

from . import problem
from .response import Response

logger = logging.getLogger(__name__)


class Refusals:
    """Makes and counts the error answers of one port. `headers`: fields of each of them."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self.counts: Counter[str] = Counter()
        """The number of error answers by reason: a problem type, or the status's name in HTTP."""

    def response(self, error: Exception, accept: str) -> Response:
        """The answer that tells of `error`; see `problem.answer` for `accept`."""
        error_id, refusal, fault = os.urandom(4).hex(), problem.of(error), None
        if refusal is None:
            refusal, fault = problem.FAILED.error(id=error_id), error
        level = _level(refusal.status)
        if fault is not None:
            logger.log(level, "error %s: %d a fault of the server", error_id, refusal.status, exc_info=fault)
        else:
            logger.log(level, "error %s: %d %s", error_id, refusal.status, refusal)
        answer = problem.answer(refusal, accept)
        self.counts[answer.kind] += 1
        headers = {
            "Content-Type": f"{answer.content_type}; charset=utf-8",
            **self._headers, **refusal.headers, "Livelog-Error": error_id,
        }  # fmt: skip
        return Response(answer.status, headers, answer.body.encode())


def _level(status: int) -> int:
    """The level of the log line: an error for 500 and 507, which the operator has to mend; a warning for other 5xx."""
    if status in (500, 507):
        return logging.ERROR
    return logging.WARNING if status >= 500 else logging.INFO
