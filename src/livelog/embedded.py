"""The server of one `livelog run` on a machine that has none: for this machine's readers, for as long as it is wanted.

    python -m livelog.embedded SECONDS

It serves until its stdin ends, which also happens when whoever started it is killed, and for some seconds beyond. Its logs are
in a temporary directory, so that what it has acknowledged needs no second copy; that directory goes with it.
"""

import os
import secrets
import signal
import sys
import tempfile
import threading
import time


def main() -> int:
    """Serve. Returns the exit code."""
    from . import config, service  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="livelog-") as directory:
        settings = config.load(
            {
                "ACCESS_TOKEN": secrets.token_urlsafe(24),
                "LIVELOG_PUT_PORT": "0",
                "LIVELOG_GET_PORT": "0",
                "LIVELOG_PUT_HOST": "127.0.0.1",
                "LIVELOG_GET_HOST": "127.0.0.1",
                "LIVELOG_DATA_DIR": directory,
            },
            {},
        )
        threading.Thread(target=_end_with_stdin, args=(float(sys.argv[1]),), daemon=True).start()
        return service.run(settings)


def _end_with_stdin(keep: float) -> None:
    while os.read(0, 4096):
        pass
    time.sleep(keep)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
