"""A handler for the `logging` module, which sends records to a log."""

import logging
import sys
from typing import Any

from .writer import ENDED, Writer, end_by_itself


class Handler(logging.Handler):
    """Sends log records to a log: `logging.getLogger().addHandler(livelog.Handler(name="worker/7"))`.

    `writer`: the log; or instead `name` and other `options` of `Writer`, which a configuration file can contain. Each record is
    a line. `logging.shutdown`, which Python calls when it exits, completes the log. Records of livelog itself are ignored, since they
    are about this log. In a forked process, records go to the same log, until the parent process ends it.
    """

    def __init__(
        self,
        writer: Writer | None = None,
        level: int | str = logging.NOTSET,
        *,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(level)
        if writer is not None and (name is not None or options):
            raise TypeError("a Handler takes a writer, or what is needed to make one, not both")
        # Not in `emit`: the handler's lock is held while the log is closed, and closing waits for the thread that logs such records.
        self.addFilter(lambda record: record.name != "livelog")
        self.writer = writer or Writer(name, **options)
        """The log; its `link` is for readers."""
        end_by_itself(self.writer)
        self._ended = False

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        try:
            line = f"{self.format(record)}\n"
        except Exception:  # noqa: BLE001  # what logging's own handlers do
            self.handleError(record)
            return
        try:
            self.writer.write(line)
        except ValueError:
            if logging.raiseExceptions and not self._ended:
                print(f"livelog: {self.writer.name}: {ENDED}: records are lost from here on", file=sys.stderr)  # noqa: T201
            self._ended = True

    def close(self) -> None:
        """Complete the log."""
        self.writer.close()
        super().close()
