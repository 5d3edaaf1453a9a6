"""Handing a link to the user's browser: to no other user, not without the page's name, and with nothing to be kept.

Categories: whom the link is told to · whose a connection is · links.
"""

import http.client
import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from livelog.client.commands.handover import HOST, Handover, is_link, owner_of

LINK = "https://logs.example.org/view/s3cret/a?x=1#L2"

ASK = """
import email.feedparser, encodings.idna, http.client, os, sys
os.setuid(int(sys.argv[3]))
connection = http.client.HTTPConnection(sys.argv[1], timeout=20)
connection.request("GET", sys.argv[2])
answer = connection.getresponse()
print(answer.status, answer.headers["Location"])
"""


def answer_to(address: str, user: int | None = None) -> str:
    """What a process of that user, by default this one's, is told at an address: the status and the link."""
    url = urlsplit(address)
    done = subprocess.run(
        [sys.executable, "-S", "-c", ASK, url.netloc, url.path, str(os.getuid() if user is None else user)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_browser_of_this_user_is_sent_on() -> None:
    with Handover(LINK) as handover:
        assert "s3cret" not in handover.address
        assert not handover.wait(0)
        assert answer_to(handover.address) == f"302 {LINK}"
        assert handover.wait(0)


def test_a_process_of_another_user_is_told_nothing() -> None:
    others = [65534, 1] if os.getuid() == 0 else []  # only root can be somebody else
    with Handover(LINK) as handover:
        for user in others:
            assert answer_to(handover.address, user) == "403 None"
        assert not handover.wait(0)
        assert answer_to(handover.address) == f"302 {LINK}"


def test_whoever_does_not_know_the_page_is_told_nothing() -> None:
    with Handover(LINK) as handover:
        connection = http.client.HTTPConnection(urlsplit(handover.address).netloc, timeout=20)
        for path in ("/", "/favicon.ico", urlsplit(handover.address).path + "x"):
            connection.request("GET", path)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Location"]) == (403, None)
            answer.read()
        connection.close()
        assert not handover.wait(0)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_kernel_tells_whose_a_connection_is(family: socket.AddressFamily) -> None:
    with socket.create_server((HOST, 0)) as server, socket.socket(family) as client:
        port = server.getsockname()[1]
        client.connect((HOST if family == socket.AF_INET else f"::ffff:{HOST}", port))
        assert owner_of(client.getsockname()[1], port) == os.getuid()
        assert owner_of(client.getsockname()[1], port ^ 1) is None


def test_a_link_is_of_http_and_in_visible_characters() -> None:
    assert is_link(LINK)
    for text in ("", "file:///etc/passwd", "javascript://x", "https://a b", "https://a\r\nX: y", "https://\u00fc"):
        assert not is_link(text)
