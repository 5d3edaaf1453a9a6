"""`python -m website`: builds the site into `dist/site`. A broken link, or a document that is not in the navigation, fails it."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from .api import python_page
from .pages import OUTSIDE, for_browsers, for_site, in_site, llms_txt, navigation, summary

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
GENERATED = {"python.md": python_page}
"""Pages that are written when the site is built: path in the site, and what writes it, given the folder of the sources."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def documents(root: Path = ROOT) -> list[str]:
    """The paths of all documents in the repository."""
    return [*OUTSIDE, *sorted(str(file.relative_to(root)) for file in (root / "docs").glob("**/*.md"))]


def build(target: Path, root: Path = ROOT) -> None:
    """Build the site of the repository in `root`. Raises: ValueError, if it is not whole; `target` is left as it was."""
    settings = tomllib.loads((HERE / "zensical.toml").read_text(encoding="utf-8"))["project"]
    texts, files = {}, set()
    for document in documents(root):
        text = (root / document).read_text(encoding="utf-8")
        texts[in_site(document)], linked = for_site(document, text, lambda path: (root / path).is_file())
        files |= set(linked)
    texts |= {path: write(str(root / "src")) for path, write in GENERATED.items()}
    entries = list(navigation(settings["nav"]))
    listed = {entry.path for entry in entries}
    if listed != set(texts):
        raise ValueError(
            "the navigation in website/zensical.toml and the documents differ: "
            f"not in it: {sorted(set(texts) - listed)}; no document: {sorted(listed - set(texts))}"
        )
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        docs = work / "docs"
        for path, text in texts.items():
            (docs / path).parent.mkdir(parents=True, exist_ok=True)
            (docs / path).write_text(text, encoding="utf-8")
        for file in files:
            if in_site(file) not in texts:
                (docs / in_site(file)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / file, docs / in_site(file))
        for file in ("site.css", "file-worker.js"):
            shutil.copy(HERE / file, docs)
        shutil.copy(HERE / "zensical.toml", work)
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(work / "zensical.toml")]
        done = subprocess.run(
            command, cwd=work, env=os.environ | {"NO_COLOR": "1"}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            output = _COLOURS.sub("", done.stdout).partition("Traceback (most recent")[0]
            raise ValueError(f"the site does not build:\n{output}")
        site = work / "site"
        for path, text in texts.items():
            (site / path).write_text(text, encoding="utf-8")
            page = (site / path).with_suffix(".html")
            page.write_text(for_browsers(path, page.read_text(encoding="utf-8")), encoding="utf-8")
        for file in ("404.html", "sitemap.xml"):  # of a site with an address; this one may be anywhere
            (site / file).unlink()
        says = [(entry, summary(texts[entry.path])) for entry in entries]
        overview = llms_txt(settings["site_name"], settings["site_description"], says)
        (site / "llms.txt").write_text(overview, encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(site, target)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m website", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "dist/site", help="the folder, which is replaced (dist/site)"
    )
    out = parser.parse_args().out
    try:
        build(out)
    except ValueError as error:
        sys.exit(f"website: {error}")
    print(f"{out}/index.html")  # noqa: T201  # what make says at the end


if __name__ == "__main__":
    main()
