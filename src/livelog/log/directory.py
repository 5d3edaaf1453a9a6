"""The layout of a data directory: what of a log is kept where, and what is found there after a crash.

    livelog.lock                                               held by the server that uses the directory
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.log        the bytes of the log builds/42, as they came
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.json       everything else that is known of it
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.times      when its bytes came: see `livelog.times`
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.index      where its lines are: made again if it is missing
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.part       the bytes of a log that becomes one when they are all right
    logs/+/                                                    the log without a name

Where the file system takes capital and small letters for the same, a capital letter of a name is `=` and the small one.

All functions here wait for the disk. Refuses to know which logs are needed. Invariants, at every instant, so that a
kill finds them true:

1. A .json is whole: it is written under another name, .new, and then renamed.
2. A .log with a .json is a log. Of several in a folder the newest ones are kept, by `LogInfo.order`, as many as a name may have; the
   others are removed. Only the newest one can be gone on with: one before it that had not ended was aborted.
3. A .json is made after its .log, and removed after it, as .times and .index are: a lone one is what is left of a log that was removed, and a
   lone .log is one that had not begun if it is empty; else its .json was lost, and its bytes are an aborted log's.
   A .part is nothing, whatever is beside it; its .json is made before it becomes a .log.
4. An .index holds a code (CRC-32) of its content: without it it is taken to be nothing. Of .times what is whole counts. One of the former
   format, which had a code, too, is replaced as a .json is, by way of .times.new.
5. Files whose names are not of this form are nobody's here: they are never removed.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple, cast

from livelog.config import EX_UNAVAILABLE
from livelog.errors import ConfigError
from livelog.names import is_name

from .disk import open_unlinked
from .info import GENERATION, SUPERSEDED, LogInfo, State
from .info import began as time_of

GENERATION_LENGTH = len("20261122T121846.123456Z-1a2b3c4d")

MAX_JSON = 64 * 1024
"""Bytes of a .json that are read: several times what the largest has. (More takes longer to allocate than to read.)"""

SPARE_SIZE = 32 * 1024
"""Bytes that are kept back for logs that replace those that fill the disk: what is known of one, and a folder, take 4 KiB each."""

_SUM = struct.Struct("=I")

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """A log that is there when the server starts. `changed`: when its file was last written, in microseconds."""

    info: LogInfo
    state: State
    length: int
    changed: int


class Directory:
    """A data directory, used by this process alone until `close`.

    Raises: ConfigError, if another process uses it; OSError, if it cannot be made or used.
    """

    def __init__(self, path: str) -> None:
        self.logs = os.path.join(path, "logs")
        self._orders: dict[str, int] = {}
        """`LogInfo.order` of each generation that is there, or is being made."""
        os.makedirs(self.logs, mode=0o700, exist_ok=True)
        self._lock = os.open(os.path.join(path, "livelog.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._lock, 20).decode("ascii", "replace").strip()
            os.close(self._lock)
            if not isinstance(error, BlockingIOError):
                raise
            raise ConfigError(
                f"LIVELOG_DATA_DIR: {path} is in use by another livelog, process {holder}: "
                "stop that one, or name another directory",
                EX_UNAVAILABLE,
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        self._folds_case = os.path.exists(os.path.join(path, "LIVELOG.LOCK"))
        self._spare = open_unlinked(self.logs)
        self._keep_spare()

    def close(self) -> None:
        """Let another process use the directory."""
        self._spare.close()
        os.close(self._lock)

    def create(self, info: LogInfo, replaced: int = 0) -> BinaryIO:
        """Begin a log, in place of one that has `replaced` bytes. Returns its file, open for reading and writing, unbuffered.

        Raises: OSError; but not for want of the little room that it takes, if much more comes back. (The other log is
        removed later: it must be there if this fails.)
        """
        try:
            return self._create(info, ".log")
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or replaced < SPARE_SIZE:
                raise
            with contextlib.suppress(OSError):
                self._spare.truncate(0)
            return self._create(info, ".log")

    def draft(self, info: LogInfo) -> BinaryIO:
        """Begin what may become a log by `publish`. Returns its file as `create` does. Raises: OSError."""
        return self._create(info, ".part")

    def publish(self, info: LogInfo, length: int) -> None:
        """Make a draft, which has so many bytes, a log that has just begun. Raises: OSError; then it is still a draft."""
        self._orders[info.generation] = info.order
        self.save(info, State.LIVE, length)
        path = self._path(info)
        os.rename(path + ".part", path + ".log")

    def _create(self, info: LogInfo, suffix: str) -> BinaryIO:
        path = self._path(info)
        self._orders[info.generation] = info.order
        try:
            fd = _open_new(path + suffix)
        except OSError:
            del self._orders[info.generation]
            raise
        try:
            if suffix == ".log":
                self.save(info, State.LIVE, 0)
        except OSError:
            os.close(fd)
            self._remove(path)  # and nothing of the older log, which goes on
            raise
        return cast(BinaryIO, open(fd, "r+b", buffering=0))

    def save(self, info: LogInfo, state: State, length: int) -> None:
        """Keep what is known of a log, in place of what was kept before. Raises: OSError."""
        path = self._path(info)
        data = json.dumps(info.to_document(state, length), indent=1, ensure_ascii=False) + "\n"
        try:
            with open(path + ".new", "wb") as file:  # others do not get past the folder
                file.write(data.encode())
            os.rename(path + ".new", path + ".json")
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path + ".new")
            raise

    def open(self, info: LogInfo) -> BinaryIO:
        """A log's file, open for reading and writing, unbuffered. Raises: OSError."""
        return cast(BinaryIO, open(self._path(info) + ".log", "r+b", buffering=0))

    def keep(self, info: LogInfo, suffix: str, data: bytes) -> None:
        """Keep `data` beside a log, in place of what was kept there, unless the log was removed. Raises: OSError."""
        path = f"{self._path(info)}.{suffix}"
        with open(path, "wb", buffering=0) as file:
            file.write(_SUM.pack(zlib.crc32(data)) + data)
        if not os.path.exists(self._path(info) + ".log"):
            os.unlink(path)

    def kept(self, info: LogInfo, suffix: str) -> bytes:
        """What was kept beside a log; empty if that is nothing, or damaged."""
        try:
            content = _content(f"{self._path(info)}.{suffix}", -1)
        except OSError:
            return b""
        data = content[_SUM.size :]
        return data if content[: _SUM.size] == _SUM.pack(zlib.crc32(data)) else b""

    def open_times(self, info: LogInfo, make: bool) -> BinaryIO | None:
        """The file of the notes of when a log's bytes came, open for reading and writing, unbuffered; None: there is none, and none to `make`.

        Raises: OSError.
        """
        try:
            fd = os.open(self._path(info) + ".times", os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o600)
        except FileNotFoundError:
            if make:
                raise
            return None
        return cast(BinaryIO, open(fd, "r+b", buffering=0))

    def replace_times(self, info: LogInfo, data: bytes) -> BinaryIO:
        """Put that content in the place of that file, unless the log was removed, and open it as `open_times` does. Raises: OSError."""
        path = f"{self._path(info)}.times"
        try:
            with open(path + ".new", "wb") as file:
                file.write(data)
            os.rename(path + ".new", path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path + ".new")
            raise
        replaced = self.open_times(info, make=True)
        assert replaced is not None
        if not os.path.exists(self._path(info) + ".log"):
            os.unlink(path)
        return replaced

    def remove(self, info: LogInfo, kept: Collection[str] = ()) -> None:
        """Remove a log, and before it what is left of older ones, save the generations `kept`: nothing brings one of them back.

        Whoever has its file open can still read it. Raises: OSError.
        """
        folder = os.path.dirname(self._path(info))
        with contextlib.suppress(FileNotFoundError):
            for generation in sorted(_generations(os.listdir(folder)), key=lambda each: self._orders.get(each, 0)):
                if generation in kept:
                    continue
                if self._orders.get(generation, info.order) <= info.order:
                    self._remove(os.path.join(folder, generation))
        self._keep_spare()

    def discard(self, info: LogInfo) -> None:
        """Remove a draft, or a log that has just begun, and nothing else. Raises: OSError."""
        self._remove(self._path(info))

    def _remove(self, path: str) -> None:
        for suffix in (".new", ".log", ".part", ".times.new", ".times", ".index", ".json"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + suffix)
        self._orders.pop(os.path.basename(path), None)
        with contextlib.suppress(OSError):  # there may be another generation
            os.rmdir(os.path.dirname(path))

    def recover(self, kept: int = 1) -> Iterator[Found]:
        """The logs that are there, the newest `kept` ones of each name, in no order. Raises: OSError.

        Removes the other ones, and what a kill has left half-made or half-removed.
        """
        with os.scandir(self.logs) as entries:
            folders = list(entries)
        for folder in folders:
            name, path = self._name(folder.name), folder.path
            if (name and not is_name(name)) or not folder.is_dir(follow_symlinks=False):
                logger.warning("left alone, it is no log's folder: %s", path)
                continue
            with self._left_alone():  # one log's fault is no reason not to serve the others
                yield from self._recover_folder(name, path, kept)

    @staticmethod
    @contextlib.contextmanager
    def _left_alone() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            logger.warning("left alone, it cannot be used: %s", error)

    def _recover_folder(self, name: str, path: str, kept: int) -> Iterator[Found]:
        """The logs that are there, if any."""
        files = set(os.listdir(path))
        generations, logs = _generations(files), list[Found]()
        unusable: dict[str, OSError] = {}
        for generation in generations:
            try:
                found = self._find(name, generation, os.path.join(path, generation), files)
            except OSError as error:
                unusable[generation] = error
            else:
                logs += [] if found is None else [found]
        logs.sort(key=lambda one: (one.info.order, one.info.generation))
        newest = logs[-1] if logs else None
        if unusable and (newest is None or newest.info.generation < max(unusable)):
            raise unusable[max(unusable)]  # an older log is not what this name stands for
        logs = logs[-kept:]
        remaining = {one.info.generation for one in logs}
        for generation in generations:
            stem = os.path.join(path, generation)
            if generation not in remaining:
                with self._left_alone():  # what cannot be removed is no reason not to serve the newest
                    if generation in unusable and kept > 1:
                        raise unusable[generation]  # it may be one to keep
                    self._remove(stem)
            else:
                for suffix in (".new", ".times.new"):
                    if generation + suffix in files:
                        os.unlink(stem + suffix)
        for one in logs:
            self._orders[one.info.generation] = one.info.order
            yield one if one is newest else _superseded(one)
        if not logs:
            with contextlib.suppress(OSError):
                os.rmdir(path)

    def _find(self, name: str, generation: str, stem: str, files: set[str]) -> Found | None:
        """One generation of a log, if it is one."""
        if generation + ".log" not in files:
            return None
        status = os.stat(stem + ".log")
        size, changed = status.st_size, status.st_mtime_ns // 1000
        if generation + ".json" in files:
            try:
                info, state, length = LogInfo.from_json(json.loads(_content(stem + ".json", MAX_JSON)))
            except (ValueError, RecursionError, OSError) as error:
                logger.warning("%s.json is damaged, the log counts as aborted: %s", stem, error)
            else:
                if (info.name, info.generation) == (name, generation):
                    return _judged(info, state, length, size, changed)
                logger.warning("%s.json is another log's, the log counts as aborted", stem)
        elif not size:
            return None
        began = time_of(generation) or changed  # the form of a time may be none: nobody here made it then
        info = LogInfo(name, generation, began, ended=changed, reason="what was known of it is lost", order=began)
        return Found(info, State.ABORTED, size, changed)

    def _path(self, info: LogInfo) -> str:
        """Where a log's files are, without the suffix."""
        folder = info.name.replace("/", "+") or "+"
        if self._folds_case:
            folder = re.sub("[A-Z]", lambda capital: f"={capital[0].lower()}", folder)
        return os.path.join(self.logs, folder, info.generation)

    def _name(self, folder: str) -> str:
        """The name of the log whose files are in `folder`; no name at all, if that is nobody's."""
        if self._folds_case:
            if re.search("[A-Z]", folder):
                return "/"
            folder = re.sub("=([a-z])", lambda small: small[1].upper(), folder)
        return "" if folder == "+" else folder.replace("+", "/")

    def _keep_spare(self) -> None:
        """Keep some room back, unless that is done, or there is none."""
        with contextlib.suppress(OSError, ValueError):  # the file is closed: the directory is not used any more
            if os.fstat(self._spare.fileno()).st_size < SPARE_SIZE:
                os.posix_fallocate(self._spare.fileno(), 0, SPARE_SIZE)


def _open_new(path: str) -> int:
    """A new file, in a folder that is made if need be, for reading and writing. Raises: OSError."""
    for attempt in range(3):
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(path), 0o700)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # an older log was the last one in its folder, and was removed just now
            if attempt == 2:
                raise
    raise AssertionError("the last attempt returns or raises")


def _generations(files: Iterable[str]) -> list[str]:
    """The generations of a log to which `files` belong, the oldest first."""
    return sorted(filter(GENERATION.fullmatch, {file[:GENERATION_LENGTH] for file in files}))


def _judged(info: LogInfo, state: State, length: int, size: int, changed: int) -> Found:
    """What became of a log of which `state` and `length` were kept, and whose file has `size` bytes."""
    if size < length or (state.ended and size > length):
        logger.warning("log %s has %d bytes instead of %d and counts as aborted", info.name, size, length)
        reason = "its file was changed by others, or its disk lost a part of it"
        info = replace(info, ended=info.ended or changed, reason=reason)
    elif state.ended:
        return Found(info, state, size, changed)
    elif info.upload.resumable:
        # A kill on its way to the end may have left the end's time.
        return Found(replace(info, ended=None, reason=""), State.INTERRUPTED, size, changed)
    else:
        info = replace(info, ended=changed, reason="the server was killed")
    return Found(info, State.ABORTED, size, changed)


def _superseded(found: Found) -> Found:
    """What became of a log after which another one of its name began."""
    if found.state.ended:
        return found
    info = replace(found.info, ended=found.changed, reason=SUPERSEDED)
    return found._replace(info=info, state=State.ABORTED)


def _content(path: str, limit: int) -> bytes:
    """The content of a file, at most `limit` bytes of it; -1: all."""
    with open(path, "rb", buffering=0) as file:
        return cast(bytes, file.read(limit))
