"""The page of an older log of a name: every question is about that one, and links to it stay right when newer ones begin.

Categories: attempts by number and by generation · links to lines · what is not kept.
"""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server
from tests.integration import logs
from tests.integration.servers import running
from tests.sample import one_of, sample

from .pages import ROWS, Viewer, path, viewing

pytestmark = pytest.mark.needs("chromium")


def lines(first: int, last: int, word: str) -> bytes:
    """Numbered lines with a word; the last one included."""
    return b"".join(f"{word} {number}\n".encode() for number in range(first, last + 1))


GROUPED = lines(1, 4000, "older") + b"::group::Build\nerror: first\n::endgroup::\n" + lines(4004, 9000, "older")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One that keeps the last three logs of a name."""
    with running({"LIVELOG_KEEP_ATTEMPTS": "3"}) as server:
        yield server


def generation(server: Server, name: str) -> str:
    """Which log is the newest of that name."""
    found: str = logs.status_of(server, name)["generation"]
    return found


def copied_link(viewer: Viewer) -> str:
    """The link that the page copies."""
    viewer.js("navigator.clipboard.writeText('')")
    viewer.press("y")
    viewer.wait("() => navigator.clipboard.readText()")
    link: str = viewer.js("navigator.clipboard.readText()")
    return link


def asked(viewer: Viewer) -> list[tuple[str, list[str]]]:
    """What the page has asked the server for, but for itself: the resource, and the attempt or the generation that is meant."""
    targets = [urlsplit(request.url) for request in viewer.requests]
    return [
        (
            target.path.split("/")[1],
            parse_qs(target.query).get("attempt", []) + parse_qs(target.query).get("generation", []),
        )
        for target in targets
        if not target.path.startswith(("/view/", "/page/")) and target.scheme == "http"
    ]


@pytest.mark.parametrize("by", sample(["attempt", "generation"], "generation"))
def test_older_attempt_is_shown_and_stays_the_one_that_is_shown(
    browser: Browser, server: Server, name: str, by: str
) -> None:
    """Its lines, its groups, its searches and its download; also when another log begins. Who opens a link to its lines sees them."""
    logs.send(server, name, GROUPED)
    older = generation(server, name)
    logs.send(server, name, lines(1, 500, "newer"))
    target = path(name) + (f"?q=first&generation={older}" if by == "generation" else "?attempt=-1&q=first")
    with viewing(browser, server.get, target, permissions=["clipboard-read", "clipboard-write"]) as viewer:
        viewer.wait_state("Ended")
        expect(viewer.page.locator("#search .count")).to_contain_text("1 of 1")
        assert parse_qs(urlsplit(viewer.page.url).query) == {"q": ["first"], "generation": [older]}
        logs.send(server, name, lines(1, 500, "newest"))
        viewer.press("Escape", "Home")
        viewer.wait_first(1)
        viewer.wait_loaded()
        viewer.page.locator(f"{ROWS} .number").nth(4).click()
        link = copied_link(viewer)
        assert link.endswith("#L5")
        assert older in link
        assert "attempt" not in link
        href = viewer.page.get_by_role("link", name="Download").first.get_attribute("href")
        assert logs.request(server.get, "GET", str(href)).body == GROUPED
        viewer.press("Control+a", "Control+c")
        viewer.wait("() => navigator.clipboard.readText().then(text => text.startsWith('older 1\\nolder 2\\n'))")
        viewer.wait_state("Ended")
        told = asked(viewer)
        assert {resource for resource, _ in told} >= {"lines", "status", "log", "search", "groups"}
        assert [one for one in told if one[1] not in (["-1"], [older])] == []
        viewer.page.goto(link)
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("older 5")
        viewer.page.reload()
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("older 5")


def test_link_without_an_attempt_means_the_newest_until_the_page_shows_an_older_one(
    browser: Browser, server: Server, name: str
) -> None:
    """What the page shows is replaced: a link to a line of it is to that log from now on."""
    logs.send(server, name, lines(1, 100, "older"))
    older = generation(server, name)
    with viewing(browser, server.get, path(name), permissions=["clipboard-read", "clipboard-write"]) as viewer:
        viewer.wait_state("Ended")
        viewer.wait_numbered()
        viewer.press("Home")
        viewer.wait_first(1)
        viewer.page.locator(f"{ROWS} .number").nth(4).click()
        assert copied_link(viewer).endswith(f"{path(name)}#L5")
        logs.send(server, name, lines(1, 100, "newer"))
        viewer.press("E")  # whatever is asked first learns it
        viewer.wait_state("Replaced")
        link = copied_link(viewer)
        assert link.endswith(f"?generation={older}#L5")
        viewer.page.goto(link)
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("older 5")
        viewer.page.goto(f"http://{server.get.authority}{path(name, '#L5')}")
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("newer 5")


@pytest.mark.parametrize(
    ("query", "told"),
    one_of(
        3,
        [
            ("?attempt=-7", "there is no attempt -7"),
            ("?attempt=x", "the query parameter attempt"),
            ("?generation=20200101T000000.000000Z-00000000", "no log of that generation is kept"),
        ],
    ),
)
def test_attempt_that_is_not_kept_is_told(browser: Browser, server: Server, name: str, query: str, told: str) -> None:
    logs.send(server, name, b"newest\n")
    with viewing(browser, server.get, path(name) + query) as viewer:
        expect(viewer.page.locator(".card")).to_contain_text(told)
        assert "newest" not in viewer.texts()


def test_older_attempt_that_is_removed_while_it_is_shown_is_told_to_be(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, lines(1, 9000, "older"))
    logs.send(server, name, b"newest\n")
    with viewing(browser, server.get, path(name) + "?attempt=-1") as viewer:
        viewer.wait_state("Ended")
        assert logs.request(server.put, "DELETE", f"/log/{name}?attempt=-1").status == 204
        viewer.press("Home")
        viewer.wait_state("Removed")
        assert "newest" not in viewer.texts()


def test_log_that_is_replaced_can_be_read_on_if_it_is_kept_and_the_menu_leads_to_all_attempts(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, lines(1, 100, "older"), "Livelog-Exit-Code: 3")
    older = generation(server, name)
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_state("Ended, exit 3")
        logs.send(server, name, lines(1, 100, "newer"))
        viewer.press("E")  # whatever is asked first learns it
        expect(viewer.page.locator(".banner")).to_contain_text(
            "A newer log has taken this one’s place. This one is kept."
        )
        viewer.page.get_by_role("link", name="Stay with this one").click()
        viewer.wait_state("Ended, exit 3")
        expect(viewer.page.locator(".facts")).to_contain_text("not the newest of its name")
        assert parse_qs(urlsplit(viewer.page.url).query) == {"generation": [older]}
        viewer.press("?")
        expect(viewer.page.locator(".attempts li")).to_have_text(
            [re.compile("^The newest: ended, began .* ago$"), re.compile("^The one before: ended, exit 3, .*shown$")]
        )
        viewer.page.get_by_role("link", name="The newest").click()
        viewer.wait_last("newer 100")
        viewer.press("?")
        viewer.page.get_by_role("link", name="The one before").click()
        viewer.wait_last("older 100")
