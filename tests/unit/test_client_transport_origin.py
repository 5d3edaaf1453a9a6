"""Where requests for a URL go.

Categories: proxies by the environment · exceptions · users and passwords · what may be shown.
"""

import pytest

from livelog.client.transport.origin import Origin, basic, is_excepted, is_loopback, shown
from livelog.errors import Refused


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"http_proxy": "http://proxy:3128"}, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"http_proxy": "http://small", "HTTP_PROXY": "http://large"}, "http://small"),
        ({"http_proxy": "", "HTTP_PROXY": "http://large"}, None),
        ({"HTTP_PROXY": "http://of-the-client", "REQUEST_METHOD": "GET"}, None),
        ({"http_proxy": "http://proxy", "REQUEST_METHOD": "GET"}, "http://proxy"),
        ({"https_proxy": "http://proxy"}, None),
        ({"http_proxy": "proxy:3128"}, "http://proxy:3128"),
        ({"http_proxy": "http://proxy", "no_proxy": "logs.example.org"}, None),
        ({"http_proxy": "http://proxy", "NO_PROXY": "example.org"}, None),
        ({"http_proxy": "http://proxy", "no_proxy": "", "NO_PROXY": "example.org"}, "http://proxy"),
    ],
)
def test_proxy_is_the_one_that_the_environment_names(environ: dict[str, str], proxy: str | None) -> None:
    url = "http://logs.example.org:60022/prefix"
    origin = Origin.of(url, environ=environ)
    assert (None if origin.proxy is None else origin.proxy.geturl()) == proxy
    assert origin.target("/x") == ("/x" if proxy is None else "http://logs.example.org:60022/x")
    assert Origin.of(url, direct=True, environ=environ).proxy is None


@pytest.mark.parametrize(
    "proxy", ["socks5://x", "https://x", "http://", "http://[", "http://x:0", "http://x:99999", "x y:z"]
)
def test_proxy_that_is_none_is_refused_and_not_shown(proxy: str) -> None:
    with pytest.raises(Refused, match=r"^http_proxy is not the URL of a proxy such as \S+$"):
        Origin.of("http://host", environ={"http_proxy": proxy})


@pytest.mark.parametrize(
    ("host", "port", "text", "expected"),
    [
        ("logs.example.org", 80, "", False),
        ("logs.example.org", 80, "*", True),
        ("logs.example.org", 80, "a,*", True),
        ("logs.example.org", 80, "logs.example.org", True),
        ("logs.example.org", 80, "LOGS.Example.ORG.", True),
        ("logs.example.org.", 80, "logs.example.org", True),
        ("logs.example.org", 80, "example.org", True),
        ("logs.example.org", 80, ".example.org", True),
        ("logs.example.org", 80, "*.example.org", True),
        ("logs.example.org", 80, " a , example.org ", True),
        ("logs.example.org", 80, "a example.org", True),
        ("logs.example.org", 80, "example.org:80", True),
        ("logs.example.org", 80, "example.org:81", False),
        ("badexample.org", 80, "example.org", False),
        ("example.org", 80, "logs.example.org", False),
        ("example.org", 80, ".", False),
        ("10.1.2.3", 80, "10.1.2.3", True),
        ("10.1.2.3", 80, "10.0.0.0/8", True),
        ("10.1.2.3", 80, "10.0.0.0/8:81", False),
        ("10.1.2.3", 80, "11.0.0.0/8, 10.1.2.3:80", True),
        ("10.1.2.3", 80, "2.3", False),
        ("::1", 80, "::1", True),
        ("::1", 80, "[::1]", True),
        ("::1", 80, "[::1]:80", True),
        ("::1", 80, "[::1]:81", False),
        ("fe80::1", 80, "fe80::/10", True),
    ],
)  # fmt: skip
def test_exceptions_are_names_addresses_and_networks(host: str, port: int, text: str, expected: bool) -> None:
    assert is_excepted(host, port, text) == expected


def test_user_and_password_are_fields_and_not_shown() -> None:
    proxy = {"http_proxy": "http://me:p%C3%A4ss@proxy:3128"}
    origin = Origin.of("http://user:a%40b%3Ac@host:1/p", environ=proxy)
    assert origin.login == "user:a@b:c"
    assert origin.authority == "host:1"
    assert origin.target("/p/log") == "http://host:1/p/log"
    assert origin.fields() == {"Authorization": basic("user:a@b:c"), "Proxy-Authorization": basic("me:päss")}
    assert str(origin) == "http://host:1 (by the proxy http://proxy:3128)"
    secure = Origin.of("https://host/p", environ={"https_proxy": "http://me@proxy"})
    assert (secure.target("/p"), secure.fields()) == ("/p", {})
    assert secure.proxy_fields() == {"Proxy-Authorization": basic("me:")}
    assert (secure.port, str(Origin.of("https://host"))) == (443, "https://host")
    assert basic("Aladdin:open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617 section 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host/a@b", "http://host/a@b"),
        ("http://u:p@host/x", "http://host/x"),
        ("http://u:p@q@host:1", "http://host:1"),
        ("https://u@[::1]:1/x?a@b", "https://[::1]:1/x?a@b"),
    ],
)
def test_what_is_shown_has_no_password(url: str, expected: str) -> None:
    assert shown(url) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("LOCALHOST.", True), ("a.localhost", True), ("127.8.8.8", True), ("::1", True),
     ("localhost.example.org", False), ("10.0.0.1", False), ("", False)],
)  # fmt: skip
def test_loopback_is_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected
