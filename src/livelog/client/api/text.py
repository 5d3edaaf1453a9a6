"""A log as a text file that Python writes to: what `print`, `redirect_stdout` and most libraries ask for.

    with livelog.open("nightly/linux") as log:
        print("all is well", file=log)

Refuses to hold text back: each `write` goes to the log at once. See `writer` for how a log ends.
"""

import io
from types import TracebackType
from typing import Any, Literal, cast, overload

from .writer import Writer


class TextWriter(io.TextIOWrapper):
    """A log as a text file in UTF-8. Characters that cannot be encoded are written as escapes. Newlines are not translated."""

    def __init__(self, log: Writer) -> None:
        super().__init__(cast(Any, log), encoding="utf-8", errors="backslashreplace", newline="", write_through=True)

    @property
    def log(self) -> Writer:
        """The log as a binary file, which has `link`, `exit_code` and more."""
        return cast(Writer, self.buffer)

    @property
    def link(self) -> str:
        """The link for readers: see `Writer.link`."""
        return self.log.link

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.log.__exit__(kind, error, traceback)

    def __del__(self) -> None:
        """Do not close the log: that this object is not used any more does not mean that the log is complete."""


@overload
def open(name: str | None = None, mode: Literal["w", "wt"] = "w", **options: Any) -> TextWriter: ...  # noqa: A001
@overload
def open(name: str | None = None, mode: Literal["wb"] = ..., **options: Any) -> Writer: ...  # noqa: A001
def open(name: str | None = None, mode: str = "w", **options: Any) -> TextWriter | Writer:  # noqa: A001
    """Begin a log. `mode`: "w" for text, "wb" for bytes. `options`: those of `Writer`.

    Raises: ValueError, for another mode; what `Writer` raises.
    """
    if mode not in ("w", "wt", "wb"):
        raise ValueError(f"a log is opened with mode 'w' or 'wb', not {mode!r}; livelog.Reader reads one")
    log = Writer(name, **options)
    return log if mode == "wb" else TextWriter(log)
