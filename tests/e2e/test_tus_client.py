"""Resumable uploads by a public client: tus-js-client, from npm, in Node.

Its `ietf-draft-05` speaks interop version 6 of the draft. On the wire that is the same as version 8, which the server
speaks, but for the number, and for interim responses, which this client does not look at: so it is run with its own
number, and told to send ours by its option `headers`. Nothing else of it is changed, nor of the server.
Categories: files and streams · a connection that is cut · an answer that is lost · a client that is killed.
"""

import contextlib
import json
import os
import random
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from .programs import TOKEN, Installed, Program, curl, program
from .relay import Relay

pytestmark = [pytest.mark.needs("curl", "node", "npm"), pytest.mark.long]

CLIENT = "tus-js-client@4.3.1"

CONTENT = random.Random(8).randbytes(1_500_000)

UPLOAD = """
import { readFileSync } from 'node:fs'
import { Upload } from 'tus-js-client'

const [file, options] = process.argv.slice(2)
const upload = new Upload(file === '-' ? process.stdin : readFileSync(file), {
    protocol: 'ietf-draft-05',
    retryDelays: [0, 100, 500, 1000],
    onUploadUrlAvailable: () => console.log(`address ${upload.url}`),
    onAfterResponse: (request, response) => console.log(`${request.getMethod()} ${response.getStatus()}`),
    onChunkComplete: (size, offset) => console.log(`offset ${offset}.`),
    onSuccess: () => console.log('done'),
    onError: (error) => { console.error(`${error}`); process.exitCode = 1 },
    ...JSON.parse(options),
})
upload.start()
"""
"""A program that uploads a file, or what it reads, and tells what happens."""

OURS: Mapping[str, object] = {"headers": {"Upload-Draft-Interop-Version": "8"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the client is installed, with a program that uses it, and a file to upload."""
    folder = tmp_path_factory.mktemp("tus")
    (folder / "upload.mjs").write_text(UPLOAD, encoding="utf-8")
    (folder / "content").write_bytes(CONTENT)
    npm = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", CLIENT)
    subprocess.run(npm, cwd=folder, env=os.environ, check=True, timeout=280)
    return folder


def upload(
    folder: Path, port: int, options: Mapping[str, object], source: str = "content"
) -> contextlib.AbstractContextManager[Program]:
    """The client, which uploads to a log by way of `port`."""
    words = json.dumps({"endpoint": f"http://localhost:{port}/log/build", **options})
    return program("node", folder / "upload.mjs", source, words, folder=folder)


def following(ports: tuple[int, int]) -> contextlib.AbstractContextManager[Program]:
    """A reader, from before the log begins to its end."""
    return program(*curl("-N", f"http://localhost:{ports[1]}/log/{TOKEN}/build?wait=60"))


def assert_done(client: Program, reader: Program, content: bytes = CONTENT) -> list[str]:
    """The client says that all is done, and the reader has exactly that. Returns the requests, with their answers."""
    assert client.wait() == 0, client.errors
    lines = client.output.decode().splitlines()
    assert lines[-1] == "done"
    assert reader.wait() == 0, reader.errors
    assert reader.output == content
    return [line for line in lines if line.startswith(("POST", "PATCH", "HEAD"))]


@pytest.mark.parametrize("version", [{}, OURS], ids=["version 6", "version 8"])
@pytest.mark.parametrize("parts", [1, 4])
def test_file_is_uploaded_whole_or_in_parts(
    installed: Installed, ports: tuple[int, int], folder: Path, parts: int, version: Mapping[str, object]
) -> None:
    options = {**version, "chunkSize": len(CONTENT) // parts}
    with installed.server(ports), following(ports) as reader, upload(folder, ports[0], options) as client:
        requests = assert_done(client, reader)
    assert requests == ["POST 201", *["PATCH 204"] * (parts - 1), "PATCH 201"]


def test_file_is_uploaded_with_the_creation(installed: Installed, ports: tuple[int, int], folder: Path) -> None:
    with (
        installed.server(ports),
        following(ports) as reader,
        upload(folder, ports[0], {**OURS, "uploadDataDuringCreation": True}) as client,
    ):
        assert assert_done(client, reader) == ["POST 201"]


def test_stream_of_unknown_length_is_read_while_it_is_uploaded(
    installed: Installed, ports: tuple[int, int], folder: Path
) -> None:
    """Each part as soon as it is there."""
    options = {**OURS, "uploadLengthDeferred": True, "chunkSize": 6}
    with (
        installed.server(ports),
        following(ports) as reader,
        upload(folder, ports[0], options, "-") as client,
    ):
        for line in (b"line 1", b"line 2", b"line 3"):
            client.write(line)
            reader.wait_for(line)
        client.write(b"end")
        client.finish()
        assert_done(client, reader, b"line 1line 2line 3end")


@pytest.mark.parametrize("cut", [10_000, 700_000, len(CONTENT) - 1])
def test_client_goes_on_behind_a_connection_that_is_cut(
    installed: Installed, ports: tuple[int, int], folder: Path, cut: int
) -> None:
    """By itself: it asks for the offset and sends the rest. The reader sees one log all the while."""
    with (
        installed.server(ports),
        following(ports) as reader,
        contextlib.closing(Relay(ports[0], cut, answered=False)) as relay,
    ):
        with upload(folder, relay.port, OURS) as client:
            assert assert_done(client, reader) == ["POST 201", "HEAD 204", "PATCH 201"]
        assert relay.cuts == 1


def test_client_that_lost_the_last_answer_learns_that_all_is_done(
    installed: Installed, ports: tuple[int, int], folder: Path
) -> None:
    with (
        installed.server(ports),
        following(ports) as reader,
        contextlib.closing(Relay(ports[0], len(CONTENT), answered=True)) as relay,
    ):
        with upload(folder, relay.port, OURS) as client:
            assert assert_done(client, reader) == ["POST 201", "HEAD 204"]
        assert relay.cuts == 1


def test_another_client_goes_on_for_one_that_was_killed(
    installed: Installed, ports: tuple[int, int], folder: Path
) -> None:
    """With nothing but the address."""
    part = len(CONTENT) // 3
    with installed.server(ports), following(ports) as reader:
        options = {**OURS, "uploadLengthDeferred": True, "chunkSize": part}
        with upload(folder, ports[0], options, "-") as client:
            client.write(CONTENT[: part + 1])
            client.wait_for(b"offset %d." % part)
        address = client.output.split()[client.output.split().index(b"address") + 1].decode()
        with upload(folder, ports[0], {**OURS, "uploadUrl": address}) as client:
            assert assert_done(client, reader) == ["HEAD 204", "PATCH 201"]
