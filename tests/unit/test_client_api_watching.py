"""`client.api.watching`: what has happened to a list of logs, out of events that tell everything anew after a break."""

from typing import Any

from livelog.client.api.watching import Watched


def log(name: str, state: str = "live", size: int = 0, **more: Any) -> dict[str, Any]:
    """What is told of a log; its name is its generation, and says when it began."""
    return {"name": name, "generation": name, "state": state, "size": size, "began": name, "title": "", **more}


class Told:
    """What a watcher is told, in short."""

    def __init__(self) -> None:
        self._watched = Watched()

    def anew(self, *logs: dict[str, Any], behind: str | None = None) -> list[tuple[str, str]]:
        """Because of an answer that tells what there is."""
        self._watched.begin()
        found = [change for one in logs for change in self.take("log", one)]
        return found + self.take("listed", {"logs": len(logs), "next": behind})

    def take(self, kind: str, data: dict[str, Any]) -> list[tuple[str, str]]:
        """Because of one event."""
        return [(change, about.get("name", "")) for change, about in self._watched.take(kind, data)]


def test_what_there_is_comes_first_and_then_what_happens() -> None:
    told = Told()
    assert told.anew(log("b"), log("a", "complete")) == [("log", "b"), ("log", "a"), ("listed", "")]
    assert told.take("begun", log("c")) == [("begun", "c")]
    assert told.take("grew", log("c", size=5)) == [("grew", "c")]
    assert told.take("changed", log("c", "interrupted", 5)) == [("changed", "c")]
    assert told.take("ended", log("c", "complete", 5)) == [("ended", "c")]
    assert told.take("removed", log("c", "complete", 5)) == [("removed", "c")]
    assert told.take("removed", log("z")) == []
    assert told.take("readers", {"readers": 3}) == []


def test_nothing_is_told_twice() -> None:
    told = Told()
    told.anew(log("a"))
    for kind in ("begun", "grew", "changed", "log"):
        assert told.take(kind, log("a")) == []
    assert told.take("ended", log("a", "aborted")) == [("ended", "a")]
    assert told.take("ended", log("a", "aborted")) == []


def test_break_is_told_as_what_has_happened_meanwhile() -> None:
    told = Told()
    told.anew(log("e", size=1), log("d"), log("c"), log("b", title="x"), log("a"))
    assert told.anew(
        log("g", "complete"), log("f"), log("e", size=1), log("d", size=4), log("c", "complete", 9), log("b", title="y")
    ) == [
        ("begun", "g"),
        ("ended", "g"),
        ("begun", "f"),
        ("grew", "d"),
        ("ended", "c"),
        ("changed", "b"),
        ("missing", "a"),
    ]


def test_logs_behind_the_end_of_a_list_that_goes_on_are_not_missing() -> None:
    told = Told()
    told.anew(log("c"), log("b"), log("a"))
    assert told.anew(log("d"), log("b"), behind="b") == [("begun", "d"), ("missing", "c")]
    assert told.take("grew", log("a", size=3)) == [("grew", "a")]


def test_watcher_that_was_too_slow_begins_anew() -> None:
    told = Told()
    told.anew(log("a"), log("b"))
    assert told.take("reset", {}) == []
    assert told.take("log", log("b", size=1)) == [("grew", "b")]
    assert told.take("listed", {"next": None}) == [("missing", "a")]
