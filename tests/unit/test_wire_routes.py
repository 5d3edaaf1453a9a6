"""What follows from a table of resources: 404, 405, Allow."""

import pytest

from livelog.errors import RequestError
from livelog.wire.problem import READ_WITH_GET, Problem
from livelog.wire.routes import Resource, Routes

LOG = Resource({"PUT": "put", "GET": "get", "HEAD": "get"}, READ_WITH_GET)
NO_PATH = Problem(404, "there is nothing here", "another path")
ROUTES = Routes({"log": LOG, "view": Resource({"GET": "view"})}, NO_PATH)


@pytest.mark.parametrize(
    ("path", "name", "rest"),
    [("/log", "log", ""), ("/log/", "log", "/"), ("/log/a/b", "log", "/a/b"), ("/view/x", "view", "/x"), ("log", "log", "")],
)  # fmt: skip
def test_a_path_leads_to_the_resource_of_its_first_segment(path: str, name: str, rest: str) -> None:
    assert ROUTES.find(path) == (name, rest, ROUTES[name])


@pytest.mark.parametrize("path", ["/", "", "*", "//log", "/logx", "/LOG", "/lo"])
def test_another_path_is_not_found(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        ROUTES.find(path)
    assert (caught.value.status, str(caught.value)) == (404, NO_PATH.text)


def test_another_method_is_told_which_ones_there_are() -> None:
    assert LOG.handler("GET") == "get"
    with pytest.raises(RequestError) as caught:
        LOG.handler("DELETE")
    assert (caught.value.status, caught.value.headers) == (405, {"Allow": "GET, HEAD, PUT"})
    assert str(caught.value) == READ_WITH_GET.text
    assert LOG.allow(without=("PUT",)) == "GET, HEAD"
    with pytest.raises(RequestError, match="GET or HEAD"):
        ROUTES["view"].handler("PUT")
