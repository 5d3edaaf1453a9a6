"""Tokens: which one opens what, and that none opens more.

Categories: comparison of any text, read tokens of other logs and other times, write tokens, tokens of prefixes, keys of uploads,
links, the Authorization header.
"""

import itertools
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.names import is_url_safe
from livelog.tokens import Access, Verdict, bearer, is_of_prefix, write_token

UNRESERVED = set(string.ascii_letters + string.digits + "-._~")
TOKEN = "secret-puppy_42"
ACCESS = Access(TOKEN)
NOW = 1_800_000_000.0

NAMES = st.lists(st.text(st.sampled_from(sorted(UNRESERVED)), min_size=1, max_size=20), min_size=1, max_size=8).map(
    "/".join
)


def opens(access: Access, presented: str, name: str, now: float) -> bool:
    return access.judge(presented, name, now) is Verdict.OPENS


def writes(access: Access, presented: str, path: str, now: float = NOW) -> bool:
    return access.judge_write(presented, path, now) is Verdict.OPENS


@given(st.text())
def test_only_the_access_token_itself_opens_everything(presented: str) -> None:
    assert ACCESS.opens_all(presented) is (presented == TOKEN)
    assert opens(ACCESS, presented, "any/log", NOW) is (presented == TOKEN)
    assert ACCESS.opens_all(TOKEN)
    assert opens(ACCESS, TOKEN, "any/log", NOW)


@pytest.mark.parametrize(
    "presented",
    [
        "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), TOKEN + "\x00", TOKEN + "\n", " " + TOKEN, "é", "\udcff",
        TOKEN + "\udc80", TOKEN + ".", TOKEN + ".99999999999",
    ],
)  # fmt: skip
def test_what_is_almost_the_token_does_not_open(presented: str) -> None:
    assert not ACCESS.opens_all(presented)
    assert not opens(ACCESS, presented, "any/log", NOW)


@given(NAMES, NAMES)
def test_a_read_token_opens_its_log_only(name: str, other: str) -> None:
    token = ACCESS.read_token(name)
    assert opens(ACCESS, token, name, NOW)
    assert opens(ACCESS, token, other, NOW) is (name == other)
    assert not opens(ACCESS, token, "", NOW)
    assert not ACCESS.opens_all(token)
    assert not opens(Access(TOKEN + "x"), token, name, NOW), "another server's, or this one's with another secret"
    assert re.fullmatch("[A-Za-z0-9_-]{32}", token), "192 bits, URL-safe"
    assert not opens(ACCESS, ACCESS.read_token(""), name, NOW)


@given(NAMES, st.integers(0, 10**12 - 1), st.integers(0, 10**12 - 1))
def test_a_read_token_that_expires_opens_until_then(name: str, expires: int, now: int) -> None:
    token = ACCESS.read_token(name, expires)
    assert is_url_safe(token)
    assert ACCESS.judge(token, name, now) is (Verdict.OPENS if now < expires else Verdict.EXPIRED)
    assert ACCESS.judge(token, name + "x", now) is Verdict.WRONG, "whether it has expired is told to its bearer only"
    assert ACCESS.judge(Access("another").read_token(name, expires), name, now) is Verdict.WRONG


@pytest.mark.parametrize(
    "change", ["{0}.1900000001", "{0}.01900000000", "{0}", "{0}.", "{0}.1900000000.", ".1900000000"]
)
def test_a_token_with_another_time_does_not_open(change: str) -> None:
    code, _, _ = ACCESS.read_token("builds/42", 1_900_000_000).partition(".")
    assert opens(ACCESS, f"{code}.1900000000", "builds/42", NOW)
    assert not opens(ACCESS, change.format(code), "builds/42", NOW)
    for_ever = ACCESS.read_token("builds/42")
    assert not opens(ACCESS, for_ever + ".1900000000", "builds/42", NOW)


def test_a_name_that_is_no_text_is_opened_by_nothing_but_the_access_token() -> None:
    assert not opens(ACCESS, "x", "\udcff", NOW)
    assert not opens(ACCESS, "\udcff.5", "\udcff", NOW)


def test_without_a_write_token_everybody_may_write() -> None:
    for presented in ("", "anything", write_token("other", "a/", 1)):
        assert writes(ACCESS, presented, "any/log")


@given(st.text())
def test_only_the_write_token_lets_write(presented: str) -> None:
    guarded = Access(TOKEN, "write-token")
    assert writes(guarded, presented, "any/log") is (presented == "write-token")
    assert writes(guarded, "write-token", "any/log")
    assert not writes(guarded, TOKEN, "any/log"), "who may read all may not write"
    assert not opens(guarded, "write-token", "log", NOW), "who may write may not read"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (TOKEN, True),
        (f"a/{TOKEN}/b", True),
        ("write-token", True),
        ("", False),
        ("builds/42", False),
        (TOKEN + "x", False),
    ],
)
def test_a_name_with_a_secret_in_it_is_recognised(name: str, *, told: bool) -> None:
    assert Access(TOKEN, "write-token").is_secret_in(name) is told
    assert ACCESS.is_secret_in(name) is (told and name != "write-token")


@pytest.mark.parametrize("name", ["", "one", "builds/42"])
@pytest.mark.parametrize("expires", [None, 1])
def test_the_end_of_a_link_is_recognised_and_of_no_other(name: str, expires: int | None) -> None:
    assert ACCESS.is_secret_in(f"{ACCESS.read_token(name, expires)}/{name}".rstrip("/"))
    assert not ACCESS.is_secret_in(f"{Access('other').read_token(name, expires)}/{name}".rstrip("/"))


@pytest.mark.parametrize("expires", [None, 1, 1_900_000_000])
def test_a_name_that_holds_another_log_s_token_is_recognised(expires: int | None) -> None:
    code = ACCESS.read_token("builds/42", expires)
    stranger = Access("other").read_token("builds/42", expires)
    for name in (code, f"a/{code}", f"{stranger}/{code}/b"):
        assert ACCESS.is_secret_in(name, ["one", "builds/42"]), name
        assert not ACCESS.is_secret_in(name, ["one", "builds/4"]), name
    assert not ACCESS.is_secret_in(f"a/{stranger}", ["one", "builds/42"])
    assert not ACCESS.is_secret_in("a", ["builds/42"])


# Tokens of prefixes.

PREFIXES = NAMES.filter(lambda name: name.count("/") < 7).map(lambda name: name + "/")


@given(PREFIXES, NAMES, st.none() | st.integers(0, 10**12 - 1))
def test_a_prefix_s_token_opens_what_begins_with_it_and_nothing_else(
    prefix: str, name: str, expires: int | None
) -> None:
    token = ACCESS.prefix_token(prefix, expires)
    assert is_url_safe(token) and is_of_prefix(token)
    known = (Verdict.OPENS, Verdict.EXPIRED)[expires is not None and expires <= NOW]
    inside = "/".join((prefix + name).split("/")[:8])
    assert ACCESS.judge(token, inside, NOW) is ACCESS.judge_prefix(token, inside + "/", NOW) is known
    assert ACCESS.judge_prefix(token, prefix, NOW) is known
    for other in {name, prefix[:-1], "x" + prefix, prefix[:-1] + "x/y", ""}:
        expected = known if other.startswith(prefix) else Verdict.WRONG
        assert ACCESS.judge(token, other, NOW) is ACCESS.judge_prefix(token, other, NOW) is expected, other
    assert ACCESS.judge(Access("another").prefix_token(prefix, expires), inside, NOW) is Verdict.WRONG
    assert not ACCESS.opens_all(token)


@pytest.mark.parametrize("expires", [None, 1, 1_900_000_000])
def test_a_token_opens_nothing_as_one_of_another_kind(expires: int | None) -> None:
    """A log's is none of a prefix, a reader's is none of a writer, whatever it is made to look like."""
    guarded, same = Access(TOKEN, "write-token"), Access(TOKEN, TOKEN)
    known = Verdict.EXPIRED if expires == 1 else Verdict.OPENS
    own = ACCESS.read_token("a/b", expires)
    of_prefix, writes, writes_too = (
        token[2:]
        for token in (
            ACCESS.prefix_token("a/", expires), write_token("write-token", "a/", expires), write_token(TOKEN, "a/", expires)
        )
    )  # fmt: skip
    for kind, code in itertools.product(
        ("p~", "w~", ""), (own, of_prefix, writes, writes_too, ACCESS.read_token("a/"))
    ):
        presented, what = kind + code, (kind, code)
        for verdict, right in (
            (ACCESS.judge(presented, "a/b", NOW), what in (("p~", of_prefix), ("", own))),
            (ACCESS.judge_prefix(presented, "a/", NOW), what == ("p~", of_prefix)),
            (guarded.judge_write(presented, "a/b", NOW), what == ("w~", writes)),
            (same.judge_write(presented, "a/b", NOW), what == ("w~", writes_too)),
        ):
            assert verdict is (known if right else Verdict.WRONG), what


@given(PREFIXES, NAMES, st.none() | st.integers(0, 10**12 - 1))
def test_a_prefix_s_write_token_writes_what_begins_with_it(prefix: str, name: str, expires: int | None) -> None:
    guarded, token = Access(TOKEN, "write-token"), write_token("write-token", prefix, expires)
    known = (Verdict.OPENS, Verdict.EXPIRED)[expires is not None and expires <= NOW]
    assert guarded.judge_write(token, prefix + name, NOW) is guarded.judge_write(token, prefix, NOW) is known
    for other in {name, prefix[:-1], "x" + prefix, ""}:
        assert guarded.judge_write(token, other, NOW) is (known if other.startswith(prefix) else Verdict.WRONG), other
    assert not opens(guarded, token, prefix + name, NOW)
    assert Access(TOKEN, "another").judge_write(token, prefix + name, NOW) is Verdict.WRONG


@pytest.mark.parametrize(
    "change", ["{0}.1900000001", "{0}", "{0}.", "{0}.01900000000", "{0}.1900000000.", "p~.1900000000", "p~", "{0}x"]
)
def test_a_prefix_s_token_with_another_time_does_not_open(change: str) -> None:
    code, _, _ = ACCESS.prefix_token("builds/42/", 1_900_000_000).partition(".")
    assert opens(ACCESS, f"{code}.1900000000", "builds/42/x", NOW)
    assert not opens(ACCESS, change.format(code), "builds/42/x", NOW)


@pytest.mark.parametrize("place", ["{}", "{}/builds/42", "{}/builds/42/x", "a/{}", "a/{}/b", "logs/{}/builds/42"])
def test_a_name_that_holds_a_prefix_s_token_is_recognised(place: str) -> None:
    """Without knowing of which prefix, or which server, it is."""
    for expires in (None, 1):
        for token in (ACCESS.prefix_token("builds/42/", expires), write_token("write-token", "builds/42/", expires)):
            assert ACCESS.is_secret_in(place.format(token))
    for other in ("p~", "p~x", "w~" + "x" * 31, "q~" + "x" * 32, "x" * 32):
        assert not ACCESS.is_secret_in(place.format(other))


def test_an_access_token_that_looks_like_one_of_a_prefix_opens_all() -> None:
    token = ACCESS.prefix_token("a/")
    odd = Access(token, token)
    assert opens(odd, token, "b", NOW)
    assert odd.judge_prefix(token, "", NOW) is odd.judge_write(token, "", NOW) is Verdict.OPENS


def test_a_link_to_a_prefix_opens_its_list() -> None:
    link = ACCESS.link("http://localhost:60023", "builds/42/", 7)
    assert link == f"http://localhost:60023/logs/{ACCESS.prefix_token('builds/42/', 7)}/builds/42/"
    assert ACCESS.link("http://localhost:60023", "builds/42/", 7, "view") == link.replace("/logs/", "/view/")


@given(st.text(), st.text())
def test_an_upload_has_a_key_of_its_own(generation: str, other: str) -> None:
    key = ACCESS.upload_key(generation)
    assert ACCESS.is_upload_key(key, generation)
    assert ACCESS.is_upload_key(key, other) is (generation == other)
    assert not Access("other").is_upload_key(key, generation)
    assert key != ACCESS.read_token(generation)


def test_a_link_opens_its_log() -> None:
    link = ACCESS.link("https://logs.example.org", "builds/42")
    assert link == f"https://logs.example.org/log/{ACCESS.read_token('builds/42')}/builds/42"
    assert ACCESS.link("http://localhost:60023", "") == f"http://localhost:60023/log/{ACCESS.read_token('')}"
    assert ACCESS.link("", "a", 7) == f"/log/{ACCESS.read_token('a', 7)}/a"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("BEARER a.b", "a.b"), ("", ""), ("Bearer", ""),
        ("Basic abc", ""), ("abc", ""), ("Bearerabc", ""),
    ],
)  # fmt: skip
def test_the_token_in_an_authorization_header(header: str, token: str) -> None:
    assert bearer(header) == token
