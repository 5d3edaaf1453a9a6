"""The server that `livelog run` starts for itself if none is configured: see `client.commands.own_server`.

    ACCESS_TOKEN=... main(), with the words SECONDS PUT GET URL: see `own_process`

PUT and GET are descriptors of listening sockets; URL is the beginning of readers' links. It serves until SECONDS after its stdin has ended,
which also happens when its parent is killed. On stdout it writes that it is ready, or why it cannot start. Its logs are in a temporary
directory, so that the client needs no copy of acknowledged bytes; the directory is removed at the end.
"""

import os
import signal
import socket
import sys
import tempfile
import threading
import time


def main() -> int:
    """Serve. Returns the exit code."""
    try:
        return _serve()
    except Exception as error:  # noqa: BLE001  # the parent process shows the reason
        reason = " ".join(str(error).split()) or type(error).__name__
        os.write(1, f"{reason}\n".encode(errors="replace"))
        return 1


def _serve() -> int:
    from . import config, process  # noqa: PLC0415

    keep, put, get, url = sys.argv[1:]
    sockets = [socket.socket(fileno=int(one)) for one in (put, get)]
    with tempfile.TemporaryDirectory(prefix="livelog-") as directory:
        settings = config.load(
            {
                "ACCESS_TOKEN": os.environ["ACCESS_TOKEN"],
                "LIVELOG_PUBLIC_URL": url,
                "LIVELOG_PUT_HOST": "127.0.0.1",
                "LIVELOG_DATA_DIR": directory,
            },
            {},
        )
        threading.Thread(target=_end_with_stdin, args=(float(keep),), daemon=True).start()
        return process.run(settings, listening=([sockets[0]], [sockets[1]]))


def _end_with_stdin(keep: float) -> None:
    while os.read(0, 4096):
        pass
    time.sleep(keep)
    os.kill(os.getpid(), signal.SIGTERM)
