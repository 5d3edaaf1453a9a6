"""What the standalone program is made of, besides our own sources: names, versions, licences and their texts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from parts import CACHE, DEBIAN, ROOT, SITE, fetch

FROM_DEBIAN = (
    ("CPython", "PSF-2.0", "libpython{}-minimal"),
    ("OpenSSL", "Apache-2.0", "libssl-dev"),
    ("expat", "MIT", "libexpat1-dev"),
    ("zlib", "Zlib", "zlib1g-dev"),
    ("GNU C Library", "LGPL-2.1-or-later", "libc6-dev"),
)
"""What is in the program from Debian: name, licence (SPDX), and the package that it comes from, with the version of Python in it."""

LICENCES = {
    "httptools": "MIT",
    "http_sf": "MIT",
    "prometheus_client": "Apache-2.0 AND BSD-2-Clause",
    "typing_extensions": "PSF-2.0",
}
"""The licences of what comes from the package index, as their authors declare them."""

RELINKING = """\
The GNU C Library is linked into the program. Whoever wants another version of it in its place can build the program anew: the sources
of livelog have all that is needed, see packaging/README.md in them.
"""


@dataclass(frozen=True, slots=True)
class Component:
    """Something that is in the program. `purl`: its name as a package URL. `texts`: files with its licence."""

    name: str
    version: str
    licence: str
    purl: str
    texts: tuple[Path, ...]


def components() -> Iterator[Component]:
    """All of them, once the program has been built."""
    parts: dict[str, Any] = fetch()
    for name, licence, template in FROM_DEBIAN:
        package = template.format(parts["python"])
        version = parts["packages"][package]
        unpacked, installed = (root / f"usr/share/doc/{package}/copyright" for root in (DEBIAN, Path("/")))
        text = unpacked if unpacked.exists() else installed
        yield Component(name, version, licence, f"pkg:deb/debian/{package}@{version}", (text,))
    for folder in sorted(SITE.glob("*.dist-info")):
        distribution = Distribution.at(folder)
        name, version = distribution.name, distribution.version
        if name != "livelog-server":
            texts = tuple(
                sorted(path for path in folder.rglob("*") if re.match("LICEN[CS]E|NOTICE|COPYING", path.name))
            )
            licence = LICENCES[name.replace("-", "_")]
            yield Component(
                name.replace("_", "-"), version, licence, f"pkg:pypi/{name.replace('_', '-')}@{version}", texts
            )
    vendor = CACHE / "httptools/vendor"
    for name, folder in (("llhttp", vendor / "llhttp"), ("http-parser", vendor / "http-parser")):
        version = _vendored(folder)
        texts = tuple(sorted(folder.glob("LICENSE*")))
        yield Component(name, version, "MIT", f"pkg:github/nodejs/{name}@v{version}", texts)


def _vendored(folder: Path) -> str:
    """The version that a header tells: it has a macro for each of its three numbers."""
    header = "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.h")))
    numbers = dict(re.findall(r"#define \w+_VERSION_(MAJOR|MINOR|PATCH) +(\d+)", header))
    return ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))


def licences(version: str) -> str:
    """The text of all licences, ours first."""
    ours = Component("livelog", version, "MPL-2.0", "", (ROOT / "LICENSE",))
    parts = []
    for each in (ours, *components()):
        assert each.texts, each.name
        texts = "\n".join(path.read_text(encoding="utf-8").rstrip() + "\n" for path in each.texts)
        note = f"\n{RELINKING}" if each.name == "GNU C Library" else ""
        parts.append(f"{each.name} {each.version}: {each.licence}\n{'=' * 78}\n{note}\n{texts}")
    return "\n\n".join(parts)
