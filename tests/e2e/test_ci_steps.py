"""The steps for CI systems, run as each of them does: the shell that stands in their files, with the variables that they set.

Categories: what each CI is left · names · exit codes and signals · a server that is away, slow, or hands out something else ·
secrets · the files' forms.
"""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml  # type: ignore[import-untyped]  # schemathesis brings it

from ci import gitlab
from tests.harness import TOKEN, Server, serving
from tests.sample import one_of

from .programs import TIMEOUT, clean_environment

ROOT = Path(__file__).parents[2]
STEP = ROOT / "ci/livelog-step"

WEEK = 7 * 86400

WRITE_TOKEN = "open-sesame-for-producers"

GITHUB = {
    "CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "octo/cat", "GITHUB_RUN_ID": "4711", "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_JOB": "build", "GITHUB_WORKFLOW": "Nightly [x]", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_SHA": "c0ffee",
    "GITHUB_REF_NAME": "feature/a b", "GITHUB_ACTION_PATH": str(ROOT),
}  # fmt: skip
GITLAB = {
    "CI": "true", "GITLAB_CI": "true", "CI_PROJECT_PATH": "group/sub/cat", "CI_PROJECT_PATH_SLUG": "group-sub-cat", "CI_PIPELINE_ID": "12",
    "CI_JOB_ID": "345", "CI_JOB_NAME": "build: [linux, 3.12]", "CI_JOB_URL": "https://gitlab.com/group/sub/cat/-/jobs/345",
    "CI_COMMIT_SHA": "c0ffee", "CI_COMMIT_REF_NAME": "main",
}  # fmt: skip
BUILDKITE = {
    "CI": "true", "BUILDKITE": "true", "BUILDKITE_PIPELINE_SLUG": "cat", "BUILDKITE_BUILD_NUMBER": "7",
    "BUILDKITE_JOB_ID": "0190-aa", "BUILDKITE_LABEL": ":hammer: Build", "BUILDKITE_BUILD_URL": "https://buildkite.com/o/cat/builds/7",
    "BUILDKITE_COMMIT": "c0ffee", "BUILDKITE_BRANCH": "main",
}  # fmt: skip
JENKINS = {
    "JENKINS_URL": "https://ci.example.org/", "JOB_NAME": "folder/cat/feature%2Fx", "BUILD_NUMBER": "8", "STAGE_NAME": "Build it",
    "BUILD_URL": "https://ci.example.org/job/cat/8/", "GIT_COMMIT": "c0ffee", "BRANCH_NAME": "feature/x",
}  # fmt: skip
TASKCLUSTER = {
    "TASKCLUSTER_ROOT_URL": "https://tc.example.org", "TASK_ID": "XQ8Kcs1lTBCPgq8zz0zkHg", "RUN_ID": "1",
}  # fmt: skip


@dataclass
class Place:
    """A log server."""

    server: Server

    @property
    def public(self) -> str:
        """Where readers reach it, and what hands out its client."""
        return f"http://{self.server.get.authority}"

    def variables(self) -> dict[str, str]:
        """What a job needs to know."""
        put = self.server.put
        return {
            "LIVELOG_SERVER": f"http://{put.authority}",
            "LIVELOG_PUBLIC_URL": self.public,
            "LIVELOG_WRITE_TOKEN": WRITE_TOKEN,
        }

    def logs(self) -> dict[str, Any]:
        """What is known of each log, by name."""
        with urlopen(f"http://{self.server.get.authority}/logs/{TOKEN}") as answer:
            return {log["name"]: log for log in json.load(answer)["logs"]}

    def read(self, view: str) -> bytes:
        """The log that a link of the viewer shows."""
        path = view.removeprefix(self.public).replace("/view/", "/log/")
        with urlopen(f"http://{self.server.get.authority}{path}") as answer:
            return bytes(answer.read())


@pytest.fixture(scope="module")
def standing() -> Iterator[Place]:
    """A server that wants a write token."""
    with serving({"LIVELOG_WRITE_TOKEN": WRITE_TOKEN}) as server:
        yield Place(server)


@pytest.fixture
def place(standing: Place) -> Place:
    """The server, without any log."""
    authority = {"Authorization": f"Bearer {WRITE_TOKEN}"}
    for name in standing.logs():
        url = f"http://{standing.server.put.authority}/log/{name}"
        urlopen(Request(url, method="DELETE", headers=authority)).close()
    return standing


@contextlib.contextmanager
def handing_out(client: bytes, digest: str) -> Iterator[str]:
    """Another server at which `client` is fetched, which tells `digest` of it. Gives its URL."""

    class HandsOut(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(client)))
            self.send_header("Repr-Digest", digest)
            self.end_headers()
            self.wfile.write(client)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name for it
            """Nothing is logged."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), HandsOut) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()
        thread.join()


def digest_of(client: bytes) -> str:
    """As a server tells it (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(client).digest()).decode()}:"


@dataclass
class Job:
    """A machine of a CI on which a job runs: its folders, its variables, and what the last step has written."""

    folder: Path
    variables: dict[str, str]
    output: str = ""

    @property
    def work(self) -> Path:
        """Where the repository is."""
        return self.folder / "work"

    def sh(self, script: str, *words: str, **more: str) -> int:
        """Run a script by a shell, whose words are `words`. Returns its exit code."""
        file = self.folder / "script"
        file.write_text(script, encoding="utf-8")
        done = subprocess.run(
            [*(words or ("sh",)), str(file)],
            cwd=self.work, env=clean_environment() | self.variables | more, timeout=TIMEOUT, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.output = done.stdout
        return done.returncode


def job(tmp_path: Path, *variables: Mapping[str, str]) -> Job:
    """A machine with empty folders. `PATH` has a Python that can run the client, as `python3`."""
    new = Job(tmp_path, {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")})
    for name in ("home", "tmp", "work", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin/python3").symlink_to(sys.executable)
    new.variables["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    for some in variables:
        new.variables |= some
    return new


def github(tmp_path: Path) -> Job:
    """A runner of GitHub's."""
    runner = job(tmp_path, GITHUB)
    (tmp_path / "runner").mkdir()
    runner.variables |= {
        "RUNNER_TEMP": str(tmp_path / "runner"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_WORKSPACE": str(tmp_path / "work"),
    }
    return runner


def run_action(runner: Job, place: Place, **inputs: str) -> int:
    """Run `action.yml` as the runner does: expressions stand in variables only, each step's script is a file of bash's."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    known = place.variables()
    given = {
        "server": known["LIVELOG_SERVER"],
        "public-url": known["LIVELOG_PUBLIC_URL"],
        "write-token": known["LIVELOG_WRITE_TOKEN"],
    } | {name.replace("_", "-"): value for name, value in inputs.items()}
    values = {f"inputs.{name}": given.get(name, about.get("default", "")) for name, about in action["inputs"].items()}
    values["strategy.job-index"] = "0"
    (step,) = action["runs"]["steps"]
    assert step["shell"] == "bash"
    environment = {
        name: re.sub(r"\$\{\{ (\S+) \}\}", lambda match: values[match[1]], value) for name, value in step["env"].items()
    }
    return runner.sh(step["run"], "bash", "--noprofile", "--norc", "-eo", "pipefail", **environment)


def link_in(text: str) -> str:
    """The one link of the viewer in a text."""
    (link,) = re.findall(r"http://[^\s)\"]+/view/[^\s)\"]+", text)
    return str(link)


# What each CI is left


@pytest.mark.long
def test_github_gets_the_link_in_the_summary_and_as_an_output(place: Place, tmp_path: Path) -> None:
    """And the log has what the commands have written, title, labels and the exit code."""
    runner = github(tmp_path)
    assert run_action(runner, place, run='echo "hello from $GITHUB_JOB"\nfalse | true && echo never\n') == 1
    link = link_in((tmp_path / "summary").read_text())
    assert (tmp_path / "output").read_text() == f"link={link}\n"
    assert place.read(link) == b"hello from build\n"
    ((name, log),) = place.logs().items()
    assert name == "github/octo/cat/4711-2/build-0"
    assert (log["title"], log["exit_code"], log["state"]) == ("Nightly [x]: build", 1, "complete")
    page = "https://github.com/octo/cat/actions/runs/4711"
    assert log["labels"] == {"branch": "feature/a b", "commit": "c0ffee", "page": page}
    assert "hello from build\n" in runner.output


@pytest.mark.long
def test_gitlab_gets_the_links_of_all_steps_as_annotations(place: Place, tmp_path: Path) -> None:
    """`before_script` and `script` are one script of one shell there."""
    (template,) = yaml.safe_load((ROOT / "ci/gitlab.yml").read_text(encoding="utf-8")).values()
    runner = job(tmp_path, GITLAB, place.variables(), {"CI_PROJECT_DIR": str(tmp_path / "work")})
    for _ in range(2):  # the same folder again: what another job has left there is gone
        script = [
            *template["before_script"],
            "livelog_step echo one",
            "livelog_step sh -c 'echo two; exit 3'",
            "echo never",
        ]
        assert runner.sh("set -eo pipefail\n" + "\n".join(script), "bash") == 3
        reported = json.loads((runner.work / template["artifacts"]["reports"]["annotations"]).read_text())
        links = [entry["external_link"] for entry in reported["livelog"]]
        assert [place.read(link["url"]) for link in links] == [b"one\n", b"two\n"]
        assert all(link["label"] for link in links)
        assert sorted(place.logs()) == ["gitlab/group-sub-cat/12/345", "gitlab/group-sub-cat/12/345-2"]
        assert "never" not in runner.output


@pytest.mark.long
def test_buildkite_gets_the_link_as_an_annotation_by_its_agent(place: Place, tmp_path: Path) -> None:
    """The hook is sourced, as the agent does; the agent's own program is a script here that keeps what it is given."""
    runner = job(tmp_path, BUILDKITE)
    known = place.variables()
    agent = tmp_path / "bin/buildkite-agent"
    agent.write_text(f'#!/bin/sh\n{{ echo "$@"; cat; }} > {tmp_path}/annotation\n')
    agent.chmod(0o755)
    runner.variables |= {
        "BUILDKITE_COMMAND": "echo 'one\ntwo'\nsh -c 'exit 4'\necho never",
        "BUILDKITE_PLUGIN_LIVELOG_SERVER": known["LIVELOG_SERVER"],
        "BUILDKITE_PLUGIN_LIVELOG_PUBLIC_URL": known["LIVELOG_PUBLIC_URL"],
        "LIVELOG_WRITE_TOKEN": WRITE_TOKEN,
    }
    hook = ROOT / "ci/livelog-buildkite-plugin/hooks/command"
    assert runner.sh(f". {hook}\nexit $?\n", "bash") == 4
    words, _, text = (tmp_path / "annotation").read_text().partition("\n")
    assert words == "annotate --style info --context livelog-0190-aa"
    assert place.read(link_in(text)) == b"one\ntwo\n"
    assert list(place.logs()) == ["buildkite/cat/7/0190-aa"]


@pytest.mark.long
def test_jenkins_gets_the_link_in_a_file_for_the_description_of_the_build(place: Place, tmp_path: Path) -> None:
    """The shell stands in the Jenkinsfile, between quotes of three."""
    text = (ROOT / "ci/Jenkinsfile").read_text(encoding="utf-8")
    (script,) = re.findall(r"sh '''(.*?)'''", text, re.DOTALL)
    assert set(re.findall(r"^ +(LIVELOG_\w+) = ", text, re.MULTILINE)) == {*place.variables(), "LIVELOG_LINK_FILE"}
    runner = job(tmp_path, JENKINS, place.variables(), {"WORKSPACE_TMP": str(tmp_path / "work@tmp")})
    runner.variables["LIVELOG_LINK_FILE"] = str(tmp_path / "work@tmp/livelog-link")
    (runner.work / "ci").mkdir()
    shutil.copy(STEP, runner.work / "ci")
    (runner.work / "Makefile").write_text("test:\n\t@echo made\n")
    assert runner.sh(script, "sh", "-xe") == 0
    link = (tmp_path / "work@tmp/livelog-link").read_text().strip()
    assert place.read(link) == b"made\n"
    assert re.fullmatch(r"jenkins/folder/cat/feature-2Fx/8/Build-it-[0-9a-f]{8}", next(iter(place.logs())))


@pytest.mark.long
def test_a_task_of_taskcluster_has_a_log_beside_the_workers(place: Place, tmp_path: Path) -> None:
    """By the command in the example's payload."""
    payload = yaml.safe_load((ROOT / "ci/taskcluster.yml").read_text(encoding="utf-8"))["payload"]
    runner = job(tmp_path, TASKCLUSTER, place.variables())
    assert set(payload["env"]) <= set(place.variables())
    (runner.work / "ci").mkdir()
    shutil.copy(STEP, runner.work / "ci")
    (runner.work / "Makefile").write_text("test:\n\t@echo made\n")
    shell, flag, script = payload["command"]
    assert (shell, flag) == ("sh", "-c")
    assert runner.sh(script) == 0
    ((name, log),) = place.logs().items()
    assert name == "taskcluster/XQ8Kcs1lTBCPgq8zz0zkHg/1"
    assert log["labels"] == {"page": "https://tc.example.org/tasks/XQ8Kcs1lTBCPgq8zz0zkHg"}


@pytest.mark.long
def test_any_other_ci_gets_the_link_in_a_file(place: Place, tmp_path: Path) -> None:
    """Nothing is known of it; two steps have two logs."""
    runner = job(tmp_path, place.variables())
    links = []
    for number in ("1", "2"):
        runner.variables["LIVELOG_LINK_FILE"] = str(tmp_path / f"link{number}")
        assert runner.sh(f"{STEP} echo {number}") == 0
        links.append((tmp_path / f"link{number}").read_text().strip())
    assert [place.read(link) for link in links] == [b"1\n", b"2\n"]
    assert len(place.logs()) == 2


# Names


def test_each_step_of_a_job_has_a_log_of_its_own_unless_it_is_named(place: Place, tmp_path: Path) -> None:
    """The second one's ends in -2."""
    runner = github(tmp_path)
    assert run_action(runner, place, run="echo one") == 0
    assert run_action(runner, place, run="echo two") == 0
    assert run_action(runner, place, run="echo three", name="mine/ö") == 0
    first, second, named = sorted(place.logs())
    assert (first, second) == ("github/octo/cat/4711-2/build-0", "github/octo/cat/4711-2/build-0-2")
    assert named.startswith("mine/o-")
    assert [place.read(link)[:3] for link in re.findall(r"http\S+(?=\))", (tmp_path / "summary").read_text())] == [
        b"one", b"two", b"thr",
    ]  # fmt: skip


# Exit codes


@pytest.mark.parametrize(
    ("command", "code"),
    one_of(
        5,
        [
            ("sh -c 'exit 42'", 42),
            ("true", 0),
            ("sh -c 'kill -TERM $$'", 143),
            ("/no/such/command", 127),
            ("/etc/passwd", 126),
        ],
    ),
)
@pytest.mark.parametrize("away", [False, True], ids=["with a log", "without a log"])
def test_a_job_ends_with_the_commands_exit_code(
    place: Place, tmp_path: Path, command: str, code: int, *, away: bool
) -> None:
    """Whether the server is there or not."""
    runner = job(tmp_path, place.variables())
    if away:
        runner.variables["LIVELOG_PUBLIC_URL"] = "http://127.0.0.1:9"
    assert runner.sh(f"{STEP} {command}\nexit $?") == code
    assert ("runs without a log" in runner.output) == away


@pytest.mark.long
def test_the_commands_words_and_standard_input_are_as_they_were(place: Place, tmp_path: Path) -> None:
    """Spaces, quotes, what looks like an option, nothing at all."""
    runner = job(tmp_path, place.variables())
    script = (
        f"""printf 'from a pipe' | {STEP} sh -c 'printf "<%s>" "$@" "$(cat)"' sh -- --name 'a  b' "" "it's" '$HOME' """
    )
    for url in (place.public, "http://127.0.0.1:9"):
        runner.variables["LIVELOG_PUBLIC_URL"] = url
        assert runner.sh(script) == 0
        assert "<--><--name><a  b><><it's><$HOME><from a pipe>" in runner.output


# A server that is away, or not what it should be


def test_a_job_whose_server_is_away_runs_without_a_log_and_says_why(place: Place, tmp_path: Path) -> None:
    """GitHub shows a warning beside the job, and nothing is written where links would be."""
    runner = github(tmp_path)
    assert run_action(runner, place, public_url="http://127.0.0.1:9", run="echo it runs") == 0
    assert "it runs\n" in runner.output
    (warning,) = [line for line in runner.output.splitlines() if line.startswith("::warning")]
    assert warning.startswith("::warning title=livelog::no log: the client cannot be fetched from http://127.0.0.1:9/")
    assert "Connection refused" in warning
    assert not (tmp_path / "summary").exists()


@pytest.mark.long
def test_a_job_that_has_a_client_but_no_server_runs_and_ends(place: Place, tmp_path: Path) -> None:
    """The readers' port is there, the producers' is not."""
    runner = github(tmp_path)
    assert run_action(runner, place, server="http://127.0.0.1:9", run="echo it runs; exit 5") == 5
    assert "it runs\n" in runner.output
    assert not (tmp_path / "summary").exists()


@pytest.mark.long
def test_a_server_that_stalls_is_one_that_is_away(place: Place, tmp_path: Path) -> None:
    """It takes the connection and says nothing: the job is late by the time that it is given, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        runner = job(tmp_path, place.variables())
        runner.variables["LIVELOG_PUBLIC_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert runner.sh(f"{STEP} echo it runs") == 0
    assert "it runs\n" in runner.output
    assert "timed out" in runner.output


@pytest.mark.parametrize(
    ("changed", "told"),
    one_of(
        6,
        [
            ({"LIVELOG_SERVER": ""}, "LIVELOG_SERVER is not set"),
            ({"LIVELOG_SERVER": "ftp://x"}, "LIVELOG_SERVER is not a URL"),
            ({"LIVELOG_PUBLIC_URL": ""}, "LIVELOG_PUBLIC_URL is not the URL"),
            ({"LIVELOG_PUBLIC_URL": "logs.example.org"}, "LIVELOG_PUBLIC_URL is not the URL"),
            ({"LIVELOG_PUBLIC_URL": "http://[::1"}, ""),
            ({"LIVELOG_WRITE_TOKEN": "two words"}, "LIVELOG_WRITE_TOKEN has a character"),
            ({"LIVELOG_CA_FILE": "/no/such/file"}, "No such file"),
            ({"LIVELOG_LINK_EXPIRES": "soon"}, "LIVELOG_LINK_EXPIRES"),
        ],
    ),
)
def test_a_wrong_setting_is_told_and_fails_no_job(
    place: Place, tmp_path: Path, changed: dict[str, str], told: str
) -> None:
    """The command runs without a log."""
    runner = job(tmp_path, place.variables(), changed)
    assert runner.sh(f"{STEP} echo it runs") == 0
    assert "it runs\n" in runner.output
    assert "this command runs without a log: " in runner.output
    assert told in runner.output
    assert "Traceback" not in runner.output
    assert "two words" not in runner.output


@pytest.mark.parametrize(
    ("digest", "pinned", "told"),
    one_of(
        4,
        [
            (digest_of(b"another one"), "", "does not have the SHA-256 that the server tells"),
            ("", "", "does not have the SHA-256 that the server tells"),
            ("md5=:AAAA:", "", "does not have the SHA-256 that the server tells"),
            (digest_of(b"print('not the client')"), "0" * 64, "not that of LIVELOG_CLIENT_SHA256"),
        ],
    ),
)
def test_a_client_with_another_digest_is_never_run(
    place: Place, tmp_path: Path, digest: str, pinned: str, told: str
) -> None:
    """The command is, without a log."""
    runner = job(tmp_path, place.variables(), {"LIVELOG_CLIENT_SHA256": pinned})
    with handing_out(b"print('not the client')", digest) as url:
        assert runner.sh(f"{STEP} echo it runs", LIVELOG_PUBLIC_URL=url) == 0
    assert "it runs\n" in runner.output
    assert told in runner.output
    assert "not the client" not in runner.output


@pytest.mark.long
def test_a_client_with_the_pinned_digest_needs_none_from_the_server(place: Place, tmp_path: Path) -> None:
    """Letters in either case."""
    with urlopen(f"http://{place.server.get.authority}/livelog.pyz") as answer:
        client = answer.read()
    runner = job(tmp_path, place.variables())
    pinned = hashlib.sha256(client).hexdigest().upper()
    with handing_out(client, "") as url:
        assert runner.sh(f"{STEP} echo logged", LIVELOG_PUBLIC_URL=url, LIVELOG_CLIENT_SHA256=pinned) == 0
    assert len(place.logs()) == 1


@pytest.mark.long
def test_a_job_whose_write_token_is_refused_runs_without_a_link(place: Place, tmp_path: Path) -> None:
    """As for a pull request from a fork, which gets no secrets."""
    runner = github(tmp_path)
    assert run_action(runner, place, write_token="", run="echo it runs; exit 6") == 6
    assert "it runs\n" in runner.output
    assert "add-mask" not in runner.output
    assert not (tmp_path / "summary").exists()
    assert not place.logs()


def test_a_machine_without_a_python_that_is_new_enough_runs_the_command(place: Place, tmp_path: Path) -> None:
    """As on a distribution of some years ago."""
    runner = job(tmp_path, place.variables())
    for name in ("sh", "mkdir", "mktemp", "cksum", "cut", "date", "echo", "rm", "cat", "env"):
        program = shutil.which(name)
        assert program is not None
        (tmp_path / "bin" / name).symlink_to(program)
    (tmp_path / "bin/python3").unlink()
    (tmp_path / "bin/python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin/python3").chmod(0o755)
    runner.variables["PATH"] = str(tmp_path / "bin")
    runner.variables["RUNNER_TOOL_CACHE"] = str(tmp_path)
    assert runner.sh(f"{STEP} echo it runs", shutil.which("sh") or "sh") == 0
    assert "it runs\n" in runner.output
    assert "there is no Python 3.11 or newer" in runner.output


# Secrets


def test_no_secret_is_in_a_command_line_in_the_output_or_in_the_log(place: Place, tmp_path: Path) -> None:
    """But in the line that has GitHub hide it. The commands do not get the write token either."""
    runner = github(tmp_path)
    commands = """
env
for process in /proc/[0-9]*; do
    if grep -qF "$RUNNER_TEMP" $process/environ; then tr '\\0' ' ' < $process/cmdline; echo; fi
done 2>/dev/null
"""
    assert run_action(runner, place, run=commands) == 0
    lines = [line for line in runner.output.splitlines() if WRITE_TOKEN in line]
    assert lines == [f"::add-mask::{WRITE_TOKEN}"]
    assert runner.output.startswith(lines[0])
    assert "livelog.pyz run --name github/" in runner.output
    link = link_in((tmp_path / "summary").read_text())
    assert WRITE_TOKEN.encode() not in place.read(link)
    assert TOKEN not in runner.output
    for file in tmp_path.glob("runner/**/*"):
        assert file.is_dir() or WRITE_TOKEN.encode() not in file.read_bytes()


@pytest.mark.long
def test_the_link_opens_one_log_and_expires(place: Place, tmp_path: Path) -> None:
    """Whoever reads the CI's log has it: after a week at most it opens nothing, also where CI is not set."""
    runner = job(tmp_path, place.variables(), {"LIVELOG_LINK_FILE": str(tmp_path / "link")})
    before = time.time()
    assert runner.sh(f"{STEP} echo x") == 0
    link = (tmp_path / "link").read_text().strip()
    (moment,) = re.findall(r"/view/[^/]+\.([0-9]+)/job/", link)
    assert before + WEEK <= int(moment) <= time.time() + WEEK + 1


def test_no_expression_of_githubs_stands_in_a_script() -> None:
    """What a branch or a title is called would become commands."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]


# The files


def test_gitlabs_template_holds_the_step_as_it_is() -> None:
    """GitLab includes YAML alone. `python ci/gitlab.py` writes it."""
    text = (ROOT / "ci/gitlab.yml").read_text(encoding="utf-8")
    assert text == gitlab.text()
    (template,) = yaml.safe_load(text).values()
    assert STEP.read_text(encoding="utf-8") in template["before_script"][0]


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_the_step_is_read_by_every_shell(shell: str) -> None:
    """It is a script of the shell that POSIX has."""
    words = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]
    if shutil.which(shell) is not None:
        subprocess.run([*words, STEP], check=True)


def test_the_plugin_of_buildkite_has_the_settings_that_its_hook_reads() -> None:
    """And no other ones."""
    folder = ROOT / "ci/livelog-buildkite-plugin"
    plugin = yaml.safe_load((folder / "plugin.yml").read_text(encoding="utf-8"))
    hook = (folder / "hooks/command").read_text(encoding="utf-8")
    read = {word.lower().replace("_", "-") for word in re.findall(r"BUILDKITE_PLUGIN_LIVELOG_([A-Z0-9_]+)", hook)}
    assert read == set(plugin["configuration"]["properties"])
    assert os.access(folder / "hooks/command", os.X_OK)


def test_the_examples_of_the_document_name_what_there_is() -> None:
    """Inputs of the action, the template's job and function, the plugin's folder and settings; each variable is read by somebody."""
    text = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    actions, template, plugin = (
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    )
    (given,) = [step["with"] for step in actions["jobs"]["build"]["steps"] if "livelog" in step["uses"]]
    inputs = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    assert set(given) <= set(inputs)
    assert {name for name, about in inputs.items() if about.get("required")} <= set(given)
    (included,) = template["include"]
    assert template["build"]["extends"] in yaml.safe_load((ROOT / included["file"]).read_text(encoding="utf-8"))
    assert any(line.startswith("livelog_step ") for line in template["build"]["script"])
    ((place, settings),) = plugin["steps"][0]["plugins"][0].items()
    folder = ROOT / place.partition("/livelog/")[2].partition("#")[0]
    known = yaml.safe_load((folder / "plugin.yml").read_text(encoding="utf-8"))["configuration"]["properties"]
    assert set(settings) <= set(known)
    client = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src/livelog/client").glob("*.py"))
    for variable in re.findall(r"^\| `(LIVELOG_\w+)` \|", text, re.MULTILINE):
        assert variable in STEP.read_text(encoding="utf-8") or variable in client, variable
