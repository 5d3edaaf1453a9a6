"""Who is refused before a request is looked at, and which content types are kept.

Categories: names of this machine and others in a Host field, addresses of both families, ports; pages of other sites; types that
browsers show, and types that they run.
"""

import pytest

from livelog.errors import RequestError
from livelog.produce.guard import is_loopback, passive_type, refuse_foreign
from livelog.wire.request import Fields, Request

DEFAULT = "text/plain; charset=utf-8"


def request(**fields: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return Request("PUT", ("/log", ""), (1, 1), Fields(named), None)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:60022", "localhost.", "a.localhost", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:60022",
        "localhost:",
    ],
)  # fmt: skip
def test_names_of_this_machine_are_loopback(host: str) -> None:
    assert is_loopback(host)
    refuse_foreign(request(Host=host), private=True)


@pytest.mark.parametrize(
    "host",
    ["example.org", "example.org:60022", "localhost.example.org", "10.0.0.1", "[::2]:1", "notlocalhost", "1", "[::1]x"],
)
def test_other_names_are_refused_on_a_private_port_only(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(RequestError) as caught:
        refuse_foreign(request(Host=host), private=True)
    assert caught.value.status == 403
    refuse_foreign(request(Host=host), private=False)


@pytest.mark.parametrize("private", [True, False])
def test_pages_of_other_sites_are_refused(*, private: bool) -> None:
    with pytest.raises(RequestError) as caught:
        refuse_foreign(request(Host="localhost", Sec_Fetch_Site="cross-site"), private=private)
    assert caught.value.status == 403
    refuse_foreign(request(Host="localhost", Sec_Fetch_Site="same-origin"), private=private)
    refuse_foreign(request(), private=private)


@pytest.mark.parametrize(
    "kept",
    ["text/plain", "text/x-log; charset=latin1", "application/json", "application/octet-stream", 'text/csv;a="b"'],
)
def test_what_browsers_only_show_is_kept(kept: str) -> None:
    assert passive_type(f" {kept} ") == kept


@pytest.mark.parametrize(
    "other",
    [
        None, "", "text/html", "TEXT/HTML; a=b", "text/css", "text/javascript", "text/xml", "image/svg+xml", "text/plain, text/html",
        "application/xhtml+xml", "text/ecmascript", "nonsense",
    ],
)  # fmt: skip
def test_what_browsers_run_is_text(other: str | None) -> None:
    assert passive_type(other) == DEFAULT
