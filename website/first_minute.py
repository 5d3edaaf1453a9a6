"""Makes the moving picture of the README: a command under `livelog run`, and beside it the page that shows its log.

    python -m website.first_minute

Both are the real program: the terminal shows what the command writes, the page is opened by the link that it prints. Needs
Chromium. It is for people: no test compares it, since fonts differ from machine to machine. It is remade when the page or what
`livelog run` prints has changed.
"""

import html
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.chromium import chromium

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/images/first-minute.webp"

SIZE = (1000, 440)
TERMINAL = 440
"""Pixels of the terminal's width; the rest is the page's."""
LIMIT = 500_000
"""Bytes."""

COMMAND = "livelog run --keep 1m -- make"

MAKEFILE = r"""
.SILENT:
all:
	printf '\033[1mmake: nightly build\033[0m\n'; sleep 1.2
	for f in main parser lexer tree server client cache index search viewer; do printf '\033[32mCC\033[0m   src/%s.c\n' $$f; sleep 0.45; done
	printf 'src/viewer.c:42: \033[33mwarning:\033[0m unused variable\n'; sleep 0.6
	printf '\033[32mLD\033[0m   build/server\n'; sleep 0.8
	for t in ranges resume links search; do printf '\033[30;42m PASS \033[0m %s\n' $$t; sleep 0.4; done
	printf '\033[1mdone\033[0m\n'
"""

STYLE = """
body { margin: 0; background: #1b1d23; color: #d8dae0; font: 13px/1.5 monospace; height: 100vh; overflow: hidden; }
div { padding: 12px 14px; white-space: pre-wrap; overflow-wrap: anywhere; position: absolute; bottom: 0; left: 0; right: 0; }
div.short { bottom: auto; top: 0; }
b { color: #fff; } .g { color: #7ec98f; } .y { color: #e2c06c; } .p { background: #7ec98f; color: #111; } .n { color: #8ab4f8; }
"""

COLOURS = {"1": "<b>", "32": '<span class="g">', "33": '<span class="y">', "30;42": '<span class="p">'}


def shown(text: str) -> str:
    """What a terminal shows, as HTML."""
    text = html.escape(text, quote=False)
    text = re.sub(r"^(livelog: .*)$", r'<span class="n">\1</span>', text, flags=re.MULTILINE)
    ends: list[str] = []

    def turned(match: re.Match[str]) -> str:
        if match[1] == "0":
            return ends.pop() if ends else ""
        start = COLOURS[match[1]]
        ends.append("</b>" if start == "<b>" else "</span>")
        return start

    return re.sub(r"\x1b\[([0-9;]*)m", turned, text)


class Film:
    """Frames of the terminal and the page side by side, each with how long it is shown (milliseconds)."""

    def __init__(self, terminal: Page, page: Page) -> None:
        self.terminal = terminal
        self.page = page
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def take(self, text: str, milliseconds: int) -> None:
        """Add a frame. One that is like the last prolongs that."""
        short = "short" if text.count("\n") + len(text) // 52 < 18 else ""
        self.terminal.set_content(f"<style>{STYLE}</style><div class='{short}'>{shown(text)}</div>")
        frame = Image.new("RGB", SIZE)
        frame.paste(Image.open(io.BytesIO(self.terminal.screenshot())), (0, 0))
        frame.paste(Image.open(io.BytesIO(self.page.screenshot())), (TERMINAL, 0))
        if self.frames and self.frames[-1].tobytes() == frame.tobytes():
            self.times[-1] += milliseconds
        else:
            self.frames.append(frame)
            self.times.append(milliseconds)

    def save(self, file: Path) -> None:
        """Write the picture, which begins again at its end."""
        first, *others = self.frames
        first.save(file, save_all=True, append_images=others, duration=self.times, loop=0, quality=70, method=6)


def make() -> None:
    """Make the picture."""
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        Path(folder, "Makefile").write_text(MAKEFILE, encoding="utf-8")
        terminal = browser.new_page(viewport={"width": TERMINAL, "height": SIZE[1]})
        page = browser.new_page(viewport={"width": SIZE[0] - TERMINAL, "height": SIZE[1]}, color_scheme="light")
        film = Film(terminal, page)
        for length in (*range(0, len(COMMAND), 3), len(COMMAND)):
            film.take(f"$ {COMMAND[:length]}█", 90)
        film.take(f"$ {COMMAND}█", 500)
        text, read, write = f"$ {COMMAND}\n", *os.pipe()
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("LIVELOG_", "ACCESS_"))
        }
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(word)) if word == "livelog" else word for word in COMMAND.split()],
            cwd=folder, env=environment | {"HOME": folder, "MAKEFLAGS": ""}, stdout=write, stderr=write,
        )  # fmt: skip
        os.close(write)
        os.set_blocking(read, False)
        opened, before = False, time.monotonic()
        while process.poll() is None:
            try:
                text += os.read(read, 65536).decode()
            except BlockingIOError:
                page.wait_for_timeout(100)
            if not opened and (link := re.search(r"browser: (\S+)", text)):
                page.goto(link[1])
                opened = True
            now = time.monotonic()
            film.take(text, round(1000 * (now - before)))
            before = now
        text += os.read(read, 65536).decode()
        page.wait_for_timeout(1000)
        film.take(text + "$ █", 4000)
        film.save(PICTURE)
    size = PICTURE.stat().st_size
    assert size <= LIMIT, f"{size} bytes are more than {LIMIT}"


if __name__ == "__main__":
    make()
