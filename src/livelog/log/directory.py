"""The layout of a data directory: which files a log has, and what is recovered from them after a crash.

    livelog.lock                                               held by the server that uses the directory
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.log        the bytes of the log builds/42, as they came
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.json       its facts (`LogInfo`), state and size
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.times      when its bytes came: see `livelog.times`
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.index      where its lines are: made again if it is missing
    logs/builds+42/20261122T121846.123456Z-1a2b3c4d.part       the bytes of a draft, until they are checked
    logs/+/                                                    the log without a name

On a file system that ignores case, a capital letter of a name is written as `=` and the small letter.

All functions wait for the disk. The catalogue decides which logs are kept. Invariants, which hold at every instant, and so after a kill:

1. A .json is whole: it is written as .new and then renamed.
2. A .log with a .json is a log. Of several in a folder, the newest ones by `LogInfo.order` are kept, as many as a name may have; the
   others are removed. Only the newest one may be live or interrupted: an older one that had not ended is aborted.
3. A .json is made after its .log, and removed after it, as are .times and .index. So any of these without a .log is left of a removed log.
   An empty .log without a .json is a log that had not begun; one with bytes has lost its .json, and is an aborted log.
   A .part is removed, with its .json, which is made before the .part is renamed to .log.
4. An .index has a CRC-32 of its content; with a wrong one it counts as missing. The whole notes of a .times count. A .times of the
   former format, which had a CRC-32 of its content, is replaced by way of .times.new, as a .json is.
5. Files with other names are not the server's: they are never removed.
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
"""Bytes of a .json that are read at most: several times the largest one. (A larger buffer takes longer to allocate than the file to read.)"""

SPARE_SIZE = 32 * 1024
"""Bytes that are reserved on the disk, so that a log can begin that replaces one on a full disk: its .json and its folder take 4 KiB each."""

_SUM = struct.Struct("=I")

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """A log that the server finds when it starts. `changed`: when its file was last written, in microseconds since the epoch."""

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
        """`LogInfo.order` of each generation that exists, or is being made."""
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
        """Release the directory's lock, so that another process can use it."""
        self._spare.close()
        os.close(self._lock)

    def create(self, info: LogInfo, replaced: int = 0) -> BinaryIO:
        """Make the files of a new log. Returns its .log, open for reading and writing, unbuffered. `replaced`: bytes of the log that it replaces.

        On a full disk it uses the reserved bytes if `replaced` frees enough of them again. (The other log is removed later: it
        must still exist if this fails.) Raises: OSError.
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
        """Make the .part of a draft. Returns the file as `create` does. Raises: OSError."""
        return self._create(info, ".part")

    def publish(self, info: LogInfo, length: int) -> None:
        """Make a draft of `length` bytes a log that has just begun. Raises: OSError; then it is still a draft."""
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
            self._remove(path)  # not the older log, which stays the newest of its name
            raise
        return cast(BinaryIO, open(fd, "r+b", buffering=0))

    def save(self, info: LogInfo, state: State, length: int) -> None:
        """Write the .json of a log, in place of the former one. Raises: OSError."""
        path = self._path(info)
        data = json.dumps(info.to_document(state, length), indent=1, ensure_ascii=False) + "\n"
        try:
            with open(path + ".new", "wb") as file:  # the folder's mode keeps other users out
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
        """Write the sidecar file with that `suffix`, in place of a former one, unless the log was removed. Raises: OSError."""
        path = f"{self._path(info)}.{suffix}"
        with open(path, "wb", buffering=0) as file:
            file.write(_SUM.pack(zlib.crc32(data)) + data)
        if not os.path.exists(self._path(info) + ".log"):
            os.unlink(path)

    def kept(self, info: LogInfo, suffix: str) -> bytes:
        """The content of the sidecar file with that `suffix`; empty if it is missing or damaged."""
        try:
            content = _content(f"{self._path(info)}.{suffix}", -1)
        except OSError:
            return b""
        data = content[_SUM.size :]
        return data if content[: _SUM.size] == _SUM.pack(zlib.crc32(data)) else b""

    def open_times(self, info: LogInfo, make: bool) -> BinaryIO | None:
        """A log's file of notes, open for reading and writing, unbuffered. If it is missing, it is made if `make`; else the result is None.

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
        """Replace a log's file of notes by one with the content `data`, unless the log was removed. Returns it as `open_times` does. Raises: OSError."""
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
        """Remove a log, after the older generations of its name except `kept`, so that a kill meanwhile leaves no older log as the newest one.

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
        """Remove a draft, or a log that has just begun, and no other generation. Raises: OSError."""
        self._remove(self._path(info))

    def _remove(self, path: str) -> None:
        for suffix in (".new", ".log", ".part", ".times.new", ".times", ".index", ".json"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path + suffix)
        self._orders.pop(os.path.basename(path), None)
        with contextlib.suppress(OSError):  # the folder may have another generation in it
            os.rmdir(os.path.dirname(path))

    def recover(self, kept: int = 1) -> Iterator[Found]:
        """The logs that exist, the newest `kept` ones of each name, in no particular order. Raises: OSError.

        Removes older ones, and what a kill has left half-made or half-removed.
        """
        with os.scandir(self.logs) as entries:
            folders = list(entries)
        for folder in folders:
            name, path = self._name(folder.name), folder.path
            if (name and not is_name(name)) or not folder.is_dir(follow_symlinks=False):
                logger.warning("left alone, it is no log's folder: %s", path)
                continue
            with self._left_alone():  # a damaged log must not keep the server from the others
                yield from self._recover_folder(name, path, kept)

    @staticmethod
    @contextlib.contextmanager
    def _left_alone() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            logger.warning("left alone, it cannot be used: %s", error)

    def _recover_folder(self, name: str, path: str, kept: int) -> Iterator[Found]:
        """The logs in one folder."""
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
            raise unusable[max(unusable)]  # the newest log cannot be read: an older one must not take its place
        logs = logs[-kept:]
        remaining = {one.info.generation for one in logs}
        for generation in generations:
            stem = os.path.join(path, generation)
            if generation not in remaining:
                with self._left_alone():  # files that cannot be removed must not keep the server from the newest log
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
        """One generation of a log; None: its files are no log (see invariants 2 to 4)."""
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
        began = time_of(generation) or changed  # a generation that this server has not made may have no valid time
        info = LogInfo(name, generation, began, ended=changed, reason="what was known of it is lost", order=began)
        return Found(info, State.ABORTED, size, changed)

    def _path(self, info: LogInfo) -> str:
        """The path of a log's files, without the suffix."""
        folder = info.name.replace("/", "+") or "+"
        if self._folds_case:
            folder = re.sub("[A-Z]", lambda capital: f"={capital[0].lower()}", folder)
        return os.path.join(self.logs, folder, info.generation)

    def _name(self, folder: str) -> str:
        """The name of the log whose files are in `folder`; a text that is no valid name, if the folder is not the server's."""
        if self._folds_case:
            if re.search("[A-Z]", folder):
                return "/"
            folder = re.sub("=([a-z])", lambda small: small[1].upper(), folder)
        return "" if folder == "+" else folder.replace("+", "/")

    def _keep_spare(self) -> None:
        """Reserve `SPARE_SIZE` bytes, unless they are reserved already, or the disk is full."""
        with contextlib.suppress(
            OSError, ValueError
        ):  # ValueError: the file is closed, since the directory is not used any more
            if os.fstat(self._spare.fileno()).st_size < SPARE_SIZE:
                os.posix_fallocate(self._spare.fileno(), 0, SPARE_SIZE)


def _open_new(path: str) -> int:
    """Make a new file for reading and writing, and its folder if that is missing. Returns the descriptor. Raises: OSError."""
    for attempt in range(3):
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(path), 0o700)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the folder is missing: its last log may have been removed just now
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
