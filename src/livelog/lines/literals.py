"""The literals of a regular expression: texts of which each match contains at least one. No I/O.

With them a block of a log without any of these texts need not be searched with the expression. They are found in the parsed expression: in a
sequence one part is enough, of alternatives each must have its literals.
"""

import re
from re import _constants, _parser  # type: ignore[attr-defined]  # the parser of `re` has no public name
from typing import Any, NamedTuple

MIN_LENGTH = 3
"""Characters of a literal; a shorter one is in most blocks."""

MAX_LITERALS = 8
"""The limit of literals; each is looked for by itself."""

OTHER_FORMS = frozenset("iks")
"""ASCII letters that other characters match, too, if case is ignored: i with or without its dot, the sign of Kelvin, and the long s."""

_MAY_IGNORE_CASE = re.compile(r"\(\?[a-zA-Z]*i")
"""Flags of a group, which may ignore the case of a part of the expression."""

_REPEATS = frozenset({_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT})


class Literals(NamedTuple):
    """At least one of `texts` (ASCII, in small letters if `folds`) is in each match. `folds`: in small or capital letters. None: `texts` is empty."""

    texts: tuple[str, ...] = ()
    folds: bool = False


def literals(pattern: str, flags: int) -> Literals:
    """The literals of a valid pattern with these flags of `re`."""
    try:
        parsed = _parser.parse(pattern, flags)
        texts = _of_sequence(parsed, ignores_case=bool(parsed.state.flags & re.IGNORECASE))
    except RecursionError:
        return Literals()
    folds = bool(parsed.state.flags & re.IGNORECASE) or _MAY_IGNORE_CASE.search(pattern) is not None
    return Literals(tuple(text.lower() if folds else text for text in texts), folds)


def _of_sequence(sequence: Any, *, ignores_case: bool) -> tuple[str, ...]:
    """The best literals of a parsed sequence; empty: it has none."""
    best: tuple[str, ...] = ()
    run = ""
    for operation, argument in [*sequence, (None, None)]:
        character = chr(argument) if operation is _constants.LITERAL else ""
        if character and character.isascii() and not (ignores_case and character.lower() in OTHER_FORMS):
            run += character
            continue
        best = max(
            best, (run,) if len(run) >= MIN_LENGTH else (), _of_part(operation, argument, ignores_case), key=_worth
        )
        run = ""
    return best


def _of_part(operation: Any, argument: Any, ignores_case: bool) -> tuple[str, ...]:
    """The literals of one part that is no literal itself."""
    if operation is _constants.SUBPATTERN:
        _, added, removed, inner = argument
        ignores = bool((ignores_case or added & re.IGNORECASE) and not removed & re.IGNORECASE)
        return _of_sequence(inner, ignores_case=ignores)
    if operation is _constants.ATOMIC_GROUP:
        return _of_sequence(argument, ignores_case=ignores_case)
    if operation in _REPEATS and argument[0] > 0:
        return _of_sequence(argument[2], ignores_case=ignores_case)
    if operation is _constants.BRANCH:
        each = [_of_sequence(branch, ignores_case=ignores_case) for branch in argument[1]]
        together = tuple(dict.fromkeys(text for texts in each for text in texts))
        return together if all(each) and len(together) <= MAX_LITERALS else ()
    return ()


def _worth(texts: tuple[str, ...]) -> tuple[int, int]:
    """How useful literals are: the shortest decides; of equal ones, the number."""
    return min(map(len, texts), default=0), -len(texts)
