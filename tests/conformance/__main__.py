"""`python -m tests.conformance`: run the cases against a server that is already up.

It starts no server, and takes tokens from the environment only: arguments are visible to every process.
"""

import argparse
import os
import sys
from urllib.parse import urlsplit

from .casebook import Case, CaseError, load
from .checks import Failure
from .link import Address
from .runner import TIMEOUT, Target, has_log, run_case, tls_context, unmet_need


def main(argv: list[str]) -> int:
    """Run the cases; the exit code is 0 when all passed, 1 when some failed, 2 when none could be run."""
    options = _parser().parse_args(argv)
    token = os.environ.get("ACCESS_TOKEN", "")
    if not token:
        print("set ACCESS_TOKEN in the environment to the token of the server under test", file=sys.stderr)
        return 2
    try:
        put = _address(options.put, insecure=options.insecure)
        get = _address(options.get, insecure=options.insecure)
        cases = [case for case in load() if options.case.lower() in case.name.lower()]
        write, prefix = os.environ.get("LIVELOG_WRITE_TOKEN", ""), os.environ.get("PREFIX_WRITE_TOKEN", "")
        target = Target(put, get, token, options.timeout, options.attempts, write, prefix)
        return _Report(options.known).run(cases, target)
    except (Failure, CaseError) as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description="Run the conformance cases against a livelog server that is up. The server's token is taken"
        " from the environment variable ACCESS_TOKEN; those of a server with a write token, whose cases are others, from LIVELOG_WRITE_TOKEN, too, and the write token"
        " of the prefix written/ from PREFIX_WRITE_TOKEN.",
    )
    parser.add_argument("--put", required=True, metavar="URL", help="producers' side: http://127.0.0.1:60022")
    parser.add_argument("--get", required=True, metavar="URL", help="readers' side, http:// or https://")
    parser.add_argument("--case", default="", metavar="SUBSTRING", help="only cases whose name contains this")
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, metavar="SECONDS", help="limit of each wait")
    parser.add_argument("--attempts", action="store_true", help="the server keeps three logs of each name")
    parser.add_argument("--known", default="", metavar="PEER", help="allow the differences known of PEER")
    return parser


def _address(url: str, *, insecure: bool) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Failure(f"not a URL: {url}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Failure(f"not an http or https URL: {url}")
    tls = tls_context(insecure=insecure) if parts.scheme == "https" else None
    return Address(parts.hostname, port or (443 if tls else 80), tls)


class _Report:
    """Runs cases in the right order, prints a line for each and counts."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._counts = {"pass": 0, "FAIL": 0, "skip": 0, "known": 0}

    def run(self, cases: list[Case], target: Target) -> int:
        fresh = not has_log(target)
        # A server is without a log only once, so: cases that leave it so, then one that does not, then the rest.
        for case in sorted(cases, key=lambda case: (case.log != "none", case.begins_log)):
            why = unmet_need(case, target)
            if case.log == "none" and not fresh:
                why = "needs a server that never had a log: start a new one and choose this case with --case"
            if why is not None:
                self._say("skip", case, why)
                continue
            self._run(case, target)
            fresh = fresh and not (case.begins_log and has_log(target))
        for word, meaning in (("known", f"known to differ in {self._peer}"), ("skip", "skipped")):
            if self._counts[word]:
                print(f"{self._counts[word]} {meaning}")
        print(f"{self._counts['pass']} passed, {self._counts['FAIL']} failed")
        return 1 if self._counts["FAIL"] else 0

    def _run(self, case: Case, target: Target) -> None:
        try:
            run_case(case, target)
        except Failure as failure:
            if self._peer in case.differs:
                self._say("known", case, case.differs[self._peer])
            else:
                self._say("FAIL", case, str(failure))
        else:
            self._say("pass", case)

    def _say(self, word: str, case: Case, why: str = "") -> None:
        self._counts[word] += 1
        print(f"{word:5} {case.name}{why and ': '}{why}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
