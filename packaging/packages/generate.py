"""Makes what the packages have besides the program, from the same declarations as `--help`.

Man pages, scripts of completion, the file of settings; and the copyright file.

    generate.py FOLDER
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from livelog import __version__, cli, config
from livelog.client.commands import completion

ROOT = Path(__file__).parents[2]

MOMENT = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
"""The time of everything that is made here: that of the commit."""

WRITTEN_ELSEWHERE = {"access_token", "write_token"}
"""Settings that are secrets, for another file, and so not for the file of settings."""

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: livelog

Files: *
Copyright: 2025-2026 The livelog developers
License: MPL-2.0

License: MPL-2.0
"""

OVERRIDES = """\
# One file with all it needs, which runs on any release: see packaging/README.md.
livelog: statically-linked-binary
livelog: embedded-library
livelog: shared-library-lacks-prerequisites
# As the packages for other systems have it.
livelog: maintainer-script-calls-systemctl
livelog: initial-upload-closes-no-bugs
"""

CHANGELOG = """\
livelog ({version}) unstable; urgency=medium

  * What has changed is in CHANGELOG.md, beside this file.

 -- The livelog developers <developers@livelog.invalid>  {time}
"""


def roff(text: str) -> str:
    """A text as man pages have it, in which nothing is a request or an escape."""
    escaped = (
        text.replace("\\", "\\e")
        .replace("-", "\\-")
        .replace("'", "\\(aq")
        .replace("`", "\\(ga")
        .replace("^", "\\(ha")
        .replace("~", "\\(ti")
    )
    return re.sub(r"^\.", "\\\\\\&.", escaped, flags=re.MULTILINE)


def paragraphs(text: str) -> Iterator[str]:
    """A help text: its paragraphs, with lines that are indented as they stand."""
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        yield ".PP"
        shown = False
        for line in part.split("\n"):
            if line.startswith("  ") != shown:
                shown = not shown
                yield ".nf" if shown else ".fi"
            yield roff(line.strip() if not shown else line.rstrip())
        if shown:
            yield ".fi"


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The arguments of a command."""
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        value = (
            action.metavar if isinstance(action.metavar, str) else (action.dest.upper() if action.nargs != 0 else "")
        )
        names = ", ".join(f"\\fB{roff(name)}\\fR" for name in action.option_strings)
        if action.choices:
            value = "|".join(map(str, action.choices))
        shown = (
            f" \\fI{roff(value)}\\fR" if value and action.option_strings else f"\\fI{roff(value)}\\fR" if value else ""
        )
        yield ".TP"
        yield names + shown
        yield roff(" ".join((action.help or "").replace("%%", "%").split())) or "\\&"


def usage(parser: argparse.ArgumentParser) -> str:
    """How a command is called, without `usage:`."""
    return " ".join(parser.format_usage().removeprefix("usage: ").split())


def page(name: str, summary: str, sections: dict[str, list[str]]) -> str:
    """A man page."""
    lines = [
        f'.TH "{name.upper()}" "1" "{MOMENT.date()}" "livelog {__version__}" "User Commands"',
        ".SH NAME",
        f"{roff(name)} \\- {roff(summary)}",
    ]
    for title, content in sections.items():
        lines += [f".SH {title}", *(content[1:] if content[:1] == [".PP"] else content)]
    return "\n".join(lines) + "\n"


def man_pages() -> Iterator[tuple[str, str]]:
    """All of them, with their names."""
    parsers = cli.parsers()
    summaries = dict(re.findall(r"^  ([a-z]+) {2,}(.+)$", cli.OVERVIEW, re.MULTILINE))
    overview = cli.OVERVIEW.partition("\n\nCommands;")
    description = overview[0].partition(": ")[2]
    listed = [line for name in parsers for line in (".TP", f"\\fBlivelog\\-{name}\\fR(1)", roff(summaries[name]))]
    rest = overview[2].partition("--version, --short-version\n")[2]
    yield (
        "livelog.1",
        page(
            "livelog",
            "logs over HTTP while they are being written",
            {
                "SYNOPSIS": ["\\fBlivelog\\fR [\\fICOMMAND\\fR] [\\fIARGUMENTS\\fR]"],
                "DESCRIPTION": list(paragraphs(description[0].upper() + description[1:])),
                "COMMANDS": listed,
                "ENVIRONMENT AND FILES": list(paragraphs(rest)),
                "SEE ALSO": [", ".join(f"\\fBlivelog\\-{name}\\fR(1)" for name in parsers)],
            },
        ),
    )
    for name, parser in parsers.items():
        sections = {
            "SYNOPSIS": [roff(usage(parser))],
            "DESCRIPTION": list(paragraphs(parser.description or summaries[name])),
            "OPTIONS": list(options(parser)),
        }
        if parser.epilog:
            sections["EXIT STATUS AND MORE"] = list(paragraphs(parser.epilog.replace("%%", "%")))
        sections["SEE ALSO"] = ["\\fBlivelog\\fR(1)"]
        yield f"livelog-{name}.1", page(f"livelog-{name}", summaries[name], sections)


def settings() -> str:
    """The file of settings: each one that is no secret, with its meaning and its default."""
    lines = [
        "# The settings of the server. A line is VARIABLE=value; a variable that is empty or not there has its default.",
        "# Times are seconds or have a unit: 90s, 10m, 2h, 7d. Sizes are bytes or have one: 512M, 10G.",
        "# The secrets, ACCESS_TOKEN and LIVELOG_WRITE_TOKEN, are in secrets.env, which only root can read.",
    ]
    for setting in fields(config.Settings):
        if setting.name not in WRITTEN_ELSEWHERE:
            default = (
                setting.default
                if isinstance(setting.default, int | float | str) and setting.default is not False
                else ""
            )
            default = f"{default:g}" if isinstance(default, float) else default
            default = "/var/lib/livelog" if setting.name == "data_dir" else default
            lines += ["", f"# {setting.metadata['meaning']}", f"#{setting.metadata['variable']}={default}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all of it into the folder."""
    folder = Path(sys.argv[1])
    (folder / "man").mkdir(parents=True)
    for name, text in man_pages():
        (folder / "man" / name).write_text(text, encoding="utf-8")
    for shell, name in (("bash", "livelog.bash"), ("fish", "livelog.fish"), ("zsh", "_livelog")):
        (folder / name).write_text(completion.script(shell, cli.parsers()), encoding="utf-8")
    (folder / "livelog.env").write_text(settings(), encoding="utf-8")
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8").splitlines()
    (folder / "copyright").write_text(COPYRIGHT + "".join(f" {line or '.'}\n" for line in licence), encoding="utf-8")
    text = CHANGELOG.format(version=__version__, time=format_datetime(MOMENT))
    (folder / "changelog").write_text(text, encoding="utf-8")
    (folder / "overrides").write_text(OVERRIDES, encoding="utf-8")


if __name__ == "__main__":
    main()
