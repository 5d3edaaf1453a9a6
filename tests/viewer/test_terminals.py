"""Whole logs of many programs: the page, looked through from its first line to its last, shows what a terminal shows.

What does not leave its line is held against xterm.js; what no terminal is asked to show (other encodings, what is no text, lines
that are cut) against the log's bytes. The logs are made here, in the form that those programs have.
"""

import json
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server
from tests.integration import logs
from tests.sample import one_of

from .pages import ROWS, SIZES, Viewer, path, viewing

pytestmark = pytest.mark.needs("chromium", "node", "npm")

E = "\x1b["
COUNT = 60
"""Lines of most logs: more than fit into a window."""


def many(form: str, count: int = COUNT) -> str:
    """A form for each number; `@` is the number."""
    return "".join(form.replace("@", str(at)) for at in range(count))


STAGES = (1, 25, 50, 75, 100)

TERMINAL: dict[str, str] = {
    "pytest": f"{E}1m===== test session starts ====={E}0m\nplatform linux -- Python 3.11\n\n"
    + many(f"tests/test_a.py::test_@ {E}32mPASSED{E}0m{E}32m                 [ 50%]{E}0m\n")
    + f"{E}31m{E}1mE       assert 1 == 2{E}0m\n{E}32m===== {E}1m60 passed{E}0m{E}32m in 1.2s ====={E}0m\n",
    "structlog": many(
        f"{E}2m2026-11-27T15:30:00Z{E}0m [{E}32m{E}1minfo     {E}0m] {E}1mdone @{E}0m {E}36mkey{E}0m={E}35m@{E}0m\n"
    ),
    "npm": "npm warn deprecated glob@7.2.3: no longer supported\n"
    + many(f"{E}1G{E}0K⠙{E}1G{E}0K⠹{E}1G{E}0K⠸{E}1G{E}0Kadded @ packages in 3s\n")
    + f"\n{E}1mfound {E}32m{E}1m0{E}22m{E}39m{E}1m vulnerabilities{E}22m\n",
    "cargo": many(f"{E}0m{E}0m{E}1m{E}32m   Compiling{E}0m serde v1.0.@\n")
    + f"{E}0m{E}1m{E}33mwarning{E}0m{E}0m{E}1m: unused variable: `x`{E}0m\n{E}0m {E}0m{E}0m{E}1m{E}38;5;12m--> {E}0m{E}0msrc/main.rs:2:9{E}0m\n"
    + many(f"\r{E}K{E}1m{E}36m    Building{E}0m [====>    ] @/60: serde")
    + f"\r{E}K{E}1m{E}32m    Finished{E}0m `dev` profile in 4.02s\n",
    "docker": many(f"#@ [stage-1 @/9] RUN make @\n#@ 0.@ {E}33mwarning{E}0m: x\n#@ DONE 0.3s\n\n", 40),
    "tqdm": many(
        "".join(f"\repoch @: {at:3d}%|{'█' * (at // 5):<20}| {at}/100 [00:01<00:00, 9.9it/s]" for at in STAGES) + "\n"
    ),
    "apt": many(
        "\rReading package lists... 0%\r\rReading package lists... 100%\r\rReading package lists... Done\n"
        "Get:@ http://deb.example.org stable/main amd64 zlib1g [61.5 kB]\n"
        f"\r{E}33m\r0% [Working]{E}0m\r            \r(Reading database ... 5%\r(Reading database ... 6120 files.)\n",
        40,
    ),
    "curl": many("\r  0  100k    0     0\r 50  100k   50 51200\r100  100k  100  100k\r\n"),
    "JSON lines": many('{"level":"info","at":@,"text":"caf\\u00e9 \\"quoted\\"","path":"C:\\\\x\\ty"}\n'),
    "wide characters": many("@ 日本語テキスト 한국어 Größe naïve e\u0301 👍 🚀 ✅ | end\n"),
    "overwritten wide characters": many(f"漢字漢字 @\rab{E}3Cx\n日本語\b\bX{E}K@\n😀😀😀\r{E}2Pz@\n", 40),
    "terminal recording": many(
        f"{E}?2004h{E}01;32muser@host{E}00m:{E}01;34m~{E}00m$ l\bls @\r\n{E}?2004l\r{E}0m{E}01;34mbin{E}0m  file\ttab\r\n",
        30,
    )
    + "exit\r\n",
    "make": many(
        "gcc -O2 -c a@.c\na@.c:3:5: \x1b[01;35m\x1b[Kwarning: \x1b[m\x1b[Kunused ‘x’ [\x1b[01;35m\x1b[K-Wunused\x1b[m\x1b[K]\n",
        30,
    ),
    "links": many("see \x1b]8;;https://example.org/@\x1b\\page @\x1b]8;;\x1b\\ and https://example.org/?a=@.\n"),
    "titles": many(f"\x1b]0;working on @\x07step @ \x1b(B{E}m{E}?25lhidden{E}?25h\x1b=\x1b>\n"),
    "spaces": many("\n   indented @  \n\t\tby tabs\t@\n  \n", 40),
    "long lines": many("@ " + "word " * 700 + "\n", 6),
    "GitHub": many(
        f"##[group]Run step @\n{E}36;1mmake @{E}0m\n##[endgroup]\nok @\n::warning file=a.c,line=@::unused\n", 30
    ),
    "GitHub, by command": many("::group::Step @\none\ntwo\n::endgroup::\n", 30),
    "GitLab": many(
        f"section_start:1000:step@\r{E}0K{E}0K{E}36;1mStep @{E}0;m\n{E}32;1m$ make{E}0;m\ndone\nsection_end:1001:step@\r{E}0K",
        30,
    )
    + "\n",
    "Azure": many("##[section]Starting: @\n##[command]make @\n##[group]Build @\nx\n##[endgroup]\n##[debug]done\n", 20),
}
"""Logs that a terminal shows, by the program that writes such."""

CUT = "x" * 4096
"""What is shown at first of a line that is longer."""

BYTES: dict[str, tuple[bytes, str, list[str]]] = {
    "Latin-1": (many("Größe @ ½ £\r\n").encode("latin-1"), "iso-8859-1", many("Größe @ ½ £\n").splitlines()),
    "Shift JIS": (many("ログ @ 日本\n").encode("shift_jis"), "shift_jis", many("ログ @ 日本\n").splitlines()),
    "UTF-8 that is none": (b"Gr\xf6\xdfe\xff\n\xe6\xbc\n" * 50, "utf-8", ["Gr��e�", "�"] * 50),
    "no text": (b"\x7fELF\x02\x00\x01\n\x00\x00\x03\x80x\n\x1b\n" * 40, "utf-8", ["␡ELF␂␀␁", "␀␀␃�x", ""] * 40),
    "Buildkite": (
        many(f"--- :hammer: Build @\n\x1b_bk;t=1764260000000\x07$ make\n{E}90m# note{E}0m\n", 40).encode(),
        "utf-8",
        many("--- :hammer: Build @\n$ make\n# note\n", 40).splitlines(),  # its times end as no terminal lets them end
    ),
    "longest lines": (
        b"x" * 3_000_000 + b"\nshort\n" + b"x" * 5000 + b"\r\nlast",
        "utf-8",
        [CUT, "short", CUT, "last"],
    ),
}
"""Logs, their encodings, and what is shown of them."""


@pytest.fixture(scope="module")
def screens(workshop: Path) -> dict[str, list[str]]:
    """What a terminal shows of each log, by line."""
    command = ["node", "test/screen.mjs"]
    done = subprocess.run(
        command, cwd=workshop, input=json.dumps(TERMINAL), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    shown: dict[str, list[str]] = json.loads(done.stdout)
    assert [len(shown[name]) for name in TERMINAL] == [log.count("\n") for log in TERMINAL.values()]
    return shown


SEEN = f"""() => [...document.querySelectorAll('{ROWS}')].map(row => [Number(row.dataset.line),
    [...row.querySelector('.text').childNodes].filter(node => !node.matches?.('button, .seconds'))
        .map(node => node.textContent).join('')])"""
"""The numbers and texts of all rows, without what the page adds to them."""

PLACE = f"""() => {{ const row = document.querySelector('{ROWS}');
    return `${{row.dataset.line}} ${{row.getBoundingClientRect().top}}`; }}"""


def look_through(viewer: Viewer, last: int) -> list[str]:
    """The texts of all lines, as they are seen from the first one on, page by page."""
    viewer.press("Home")
    viewer.wait_first(1)
    seen: dict[int, str] = {}
    while True:
        viewer.wait_loaded()
        for line, text in viewer.js(SEEN):
            assert seen.setdefault(line, text) == text
        if last in seen:
            return [seen[line] for line in sorted(seen)]
        place = viewer.js(PLACE)
        viewer.press("PageDown")
        viewer.wait(f"place => ({PLACE})() !== place", place)


def as_cells(text: str) -> str:
    """A text with blanks for its tabs, and without those at its end."""
    return text.expandtabs().rstrip(" ")


SHOWN = [
    *((name, "desktop") for name in (*TERMINAL, *BYTES)),
    *((name, "phone") for name in ("structlog", "wide characters", "terminal recording")),
]


@pytest.mark.parametrize(("kind", "size"), one_of(6, SHOWN))
def test_log_is_shown_as_a_terminal_shows_it(
    browser: Browser, server: Server, name: str, screens: dict[str, list[str]], kind: str, size: str
) -> None:
    data, charset, texts = BYTES.get(kind) or (TERMINAL[kind].encode(), "utf-8", screens[kind])
    logs.send(server, name, data, f"Content-Type: text/plain; charset={charset}")
    with viewing(browser, server.get, path(name), **SIZES[size]) as viewer:
        viewer.wait_state("Ended")
        viewer.wait_numbered()
        groups = any(mark in text for text in texts for mark in ("[group]", "::group")) or "section_start" in str(data)
        if groups:
            expect(viewer.page.locator(f"{ROWS}.group").first).to_be_visible()
        viewer.press("r")  # a terminal knows no commands to CI services
        assert [as_cells(text) for text in look_through(viewer, len(texts))] == [as_cells(text) for text in texts]
