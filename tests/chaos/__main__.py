"""`python -m tests.chaos`: run episodes, one seed after the other, for as long as wanted."""

import argparse
import sys
import time
from collections import Counter

from .episode import Failed, run


def main(argv: list[str]) -> int:
    """Run; the exit code is 0 if nothing was found, 1 if something was."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed; without --minutes, the only one")
    parser.add_argument("--minutes", type=float, default=0.0, help="go on with the next seeds for so long")
    parser.add_argument("--keep-going", action="store_true", help="go on after a fault was found")
    parser.add_argument(
        "--source", metavar="FOLDER", help="where the package livelog is that is run, if not the one here"
    )
    options = parser.parse_args(argv)
    until, seed, found = time.monotonic() + 60 * options.minutes, options.seed, 0
    totals: Counter[str] = Counter()
    while True:
        try:
            outcome = run(seed, source=options.source)
        except Failed as failure:
            found += 1
            print(failure, flush=True)
            if not options.keep_going:
                return 1
        else:
            totals.update(answers=outcome.answers, bytes=outcome.checked, logs=outcome.logs, **outcome.faults)
        seed += 1
        if time.monotonic() >= until:
            break
    print(f"{seed - options.seed} episodes, {found} faults found: {dict(totals)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
