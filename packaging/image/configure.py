"""Gives an image in an OCI layout the settings that a Containerfile has, its health check included.

    configure.py CONTAINERFILE LAYOUT CREATED [NAME=VALUE]...

So there is one description of the image: `docker build` reads it, and so does this. It changes the only image of the layout, which has its
layers already. CREATED is a time (RFC 3339), NAME=VALUE the build's arguments. The health check is Docker's addition to the format
of OCI: Docker and Podman find it there, the others do not look.
"""

import hashlib
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

SECONDS = {"ms": 10**-3, "s": 1, "m": 60, "h": 3600}


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Containerfile, each with its arguments; comments and the backslashes at ends of lines are gone."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = (line.split(None, 1) for line in lines.replace("\\\n", " ").splitlines() if line.strip())
    return [(word.upper(), rest.strip()) for word, rest in found]


def pairs(text: str) -> dict[str, str]:
    """`A=1 B="2 3"` as a dictionary."""
    return dict(word.split("=", 1) for word in shlex.split(text))


def health_check(text: str) -> dict[str, Any]:
    """The arguments of HEALTHCHECK as Docker's configuration has them: its times are nanoseconds."""
    flags, command = re.fullmatch(r"((?:--\S+\s+)*)CMD\s+(\[.*\])", text).groups()  # type: ignore[union-attr]
    check: dict[str, Any] = {"Test": ["CMD", *json.loads(command)]}
    for flag in flags.split():
        name, value = flag[2:].split("=", 1)
        key = "".join(part.capitalize() for part in name.split("-"))
        if name == "retries":
            check[key] = int(value)
        else:
            number, unit = re.fullmatch(r"([0-9.]+)(ms|s|m|h)", value).groups()  # type: ignore[union-attr]
            check[key] = round(float(number) * SECONDS[unit] * 10**9)
    return check


def configuration(text: str, given: dict[str, str]) -> dict[str, Any]:
    """The `config` of an image, from a Containerfile and the build's arguments. Raises: ValueError, at an instruction unknown here."""
    config: dict[str, Any] = {"Env": [], "Labels": {}, "ExposedPorts": {}, "Volumes": {}}
    arguments: dict[str, str] = {}
    for word, rest in instructions(text):
        value = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], rest)
        if word == "ARG":
            name, _, default = value.partition("=")
            arguments[name] = given.get(name, default.strip('"'))
        elif word == "LABEL":
            config["Labels"] |= pairs(value)
        elif word == "ENV":
            config["Env"] += [f"{name}={text}" for name, text in pairs(value).items()]
        elif word == "EXPOSE":
            config["ExposedPorts"] |= {f"{port}/tcp": {} for port in value.split()}
        elif word == "VOLUME":
            config["Volumes"] |= {folder: {} for folder in value.split()}
        elif word in ("USER", "WORKDIR"):
            config[{"USER": "User", "WORKDIR": "WorkingDir"}[word]] = value
        elif word == "ENTRYPOINT":
            config["Entrypoint"] = json.loads(value)
        elif word == "HEALTHCHECK":
            config["Healthcheck"] = health_check(value)
        elif word not in ("FROM", "ADD"):
            raise ValueError(f"{word} in a Containerfile is not known here")
    return config


class Layout:
    """An OCI image layout in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        """The document that `descriptor` refers to."""
        document: dict[str, Any] = json.loads(self._blob(descriptor["digest"]).read_bytes())
        return document

    def store(self, descriptor: dict[str, Any], document: dict[str, Any]) -> None:
        """Add a document, and have `descriptor` refer to it."""
        content = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        descriptor |= {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}
        self._blob(descriptor["digest"]).write_bytes(content)

    def _blob(self, digest: str) -> Path:
        return self._folder / "blobs" / digest.replace(":", "/")


def main() -> None:
    """Change the image."""
    containerfile, folder, created, *given = sys.argv[1:]
    config = configuration(Path(containerfile).read_text(encoding="utf-8"), dict(one.split("=", 1) for one in given))
    config["Labels"]["org.opencontainers.image.created"] = created
    layout, index_file = Layout(Path(folder)), Path(folder, "index.json")
    index = json.loads(index_file.read_bytes())
    (descriptor,) = index["manifests"]
    manifest = layout.load(descriptor)
    image = layout.load(manifest["config"])
    layout.store(manifest["config"], image | {"created": created, "config": config})
    manifest["annotations"] = config["Labels"]
    layout.store(descriptor, manifest)
    index_file.write_text(json.dumps(index, sort_keys=True, separators=(",", ":")), encoding="utf-8")


if __name__ == "__main__":
    main()
