"""The commands behind what stands between them and a server: nginx, prefixes, forwarding proxies, users and passwords.

Categories: nginx with its buffering and without, below a prefix · http_proxy, https_proxy, no_proxy · user:password@ · slashes.
"""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from livelog import Writer
from tests.harness import TIMEOUT, reserved_port
from tests.integration.certificates import Authority, environment
from tests.sample import one_of, sample

from .place import Place, lines, links, place, wait_until

NGINX = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {server}
        location /producers/ {{
            proxy_pass {producers}/;
            proxy_http_version 1.1;
            client_max_body_size 0;
            {extra}
        }}
        location /readers/ {{
            proxy_pass {readers}/;
            proxy_http_version 1.1;
            {extra_readers}
        }}
    }}
}}
"""

UNBUFFERED = "proxy_request_buffering off;"

LOGIN = "user:tr0ub@dor:3"
QUOTED = "user:tr0ub%40dor%3A3"


@contextlib.contextmanager
def behind_nginx(
    folder: Path, *, extra: str = UNBUFFERED, extra_readers: str = "", server: str = ""
) -> Iterator[tuple[Place, int]]:
    """A place whose server is below /producers and /readers of an nginx, and the port of that."""
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    assert nginx is not None, "install nginx"
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}"
        with place(folder / "home", variables={"LIVELOG_PUBLIC_URL": f"{url}/readers/"}) as here:
            configuration = folder / "nginx.conf"
            configuration.write_text(
                NGINX.format(
                    folder=folder, port=port, producers=here.server, readers=here.readers, extra=extra,
                    extra_readers=extra_readers, server=server, user="" if os.geteuid() else "user root;",
                )
            )  # fmt: skip
            with subprocess.Popen((nginx, "-p", folder, "-c", configuration)) as process:
                try:
                    wait_until(lambda: _accepts(port), "nginx accepts")
                    here.server, here.readers = f"{url}/producers", f"{url}/readers"
                    yield here, port
                finally:
                    process.terminate()


def _accepts(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
        return True
    return False


# nginx.


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("slash", sample(["", "/"], ""))
def test_log_goes_through_nginx_below_a_prefix(tmp_path: Path, slash: str) -> None:
    with behind_nginx(tmp_path) as (here, _):
        changes = {"LIVELOG_SERVER": here.server + slash, "LIVELOG_PUBLIC_URL": here.readers + slash}
        done = here.run("run", "--name", "a/b", "--", "seq", "50000", variables=changes)
        assert (done.returncode, len(done.stdout.split())) == (0, 50000), done.stderr
        assert here.run("push", "-q", "--name", "pushed", data=lines(9), variables=changes).returncode == 0
        for name, expected in (("a/b", done.stdout), ("pushed", lines(9))):
            for words in (["--from-line", "1"], ["-n", "100000"], ["-o", "-"]):
                assert here.run("tail", *words, name, variables=changes).stdout == expected
        (link, *_) = links(done.stderr)
        assert link.startswith(f"{here.readers}/log/")
        for url in (link, f"{link}/", link.replace("/log/", "/view/") + "/#L5"):
            assert here.run("tail", "-n", "1", url, ACCESS_TOKEN="").stdout == b"50000\n"
        assert sorted(here.run("ls", "--names", variables=changes).stdout.split()) == [b"a/b", b"pushed"]
        assert json.loads(here.run("status", "--json", "a/b", variables=changes).stdout)["state"] == "complete"


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("extra", ["", UNBUFFERED], ids=["buffering", "unbuffered"])
def test_link_is_told_at_the_beginning_though_interim_responses_are_swallowed(tmp_path: Path, extra: str) -> None:
    with behind_nginx(tmp_path, extra=extra) as (here, _):
        with Writer("long", settings=here.settings()) as log:
            log.write(b"begun\n")
            wait_until(lambda: bool(log.link), "the link is told")
            assert log.link == here.run("link", "long").stdout.decode().strip()
            assert log.view == here.run("link", "--view", "long").stdout.decode().strip()
            log.write(b"ended\n")
        assert log.delivered
        assert here.log("long") == b"begun\nended\n"
        assert here.status("long")["state"] == "complete"


@pytest.mark.needs("nginx")
def test_log_goes_on_behind_nginx_after_a_restart_of_the_server(tmp_path: Path) -> None:
    """The upload's address is known though no interim response has told it: readers see one log all the while."""
    with behind_nginx(tmp_path) as (here, _), Writer("log", settings=here.settings()) as log:
        log.write(b"before\n")
        generation = here.wait_for("log", 7)["generation"]
        wait_until(lambda: bool(log.link), "the answer that tells the link also tells the upload's address")
        here.kill()
        log.write(b"meanwhile\n")
        here.start()
        assert here.wait_for("log", 17)["generation"] == generation
        log.write(b"after\n")
        log.close()
        assert log.delivered
        assert here.log("log") == b"before\nmeanwhile\nafter\n"


@pytest.mark.needs("nginx")
def test_proxy_that_ends_each_connection_is_no_hindrance(tmp_path: Path) -> None:
    with behind_nginx(tmp_path, server="keepalive_timeout 0;") as (here, _):
        with Writer("log", settings=here.settings()) as log:
            log.write(b"before\n")
            here.wait_for("log", 7)
            assert log.problem == ""
            log.write(b"after\n")
        assert log.delivered
        assert here.log("log") == b"before\nafter\n"


@pytest.mark.needs("nginx", "openssl")
@pytest.mark.parametrize("way", sample(["token", "no token"], "token"))
def test_user_and_password_in_the_address_are_given_to_nginx(tmp_path: Path, way: str) -> None:
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", LOGIN.partition(":")[2]], capture_output=True, check=True, text=True
    ).stdout.strip()
    (tmp_path / "users").write_text(f"user:{hashed}\n")
    guard = f"auth_basic 'logs'; auth_basic_user_file {tmp_path}/users;"
    with behind_nginx(tmp_path, extra=UNBUFFERED + guard, extra_readers=guard) as (here, port):
        url = f"http://{QUOTED}@127.0.0.1:{port}"
        changes = {"LIVELOG_SERVER": f"{url}/producers", "LIVELOG_PUBLIC_URL": f"{url}/readers"}
        if way == "no token":
            changes["ACCESS_TOKEN"] = ""
        refused = here.run("push", "--name", "x", data=b"")
        assert refused.returncode == 5
        assert b"401" in refused.stderr and b"<" not in refused.stderr
        assert here.run("tail", "log").returncode == 5
        done = here.run("run", "--name", "log", "--", "seq", "9", variables=changes)
        assert done.returncode == 0
        (link, *_) = links(done.stderr)
        assert link.startswith(f"http://127.0.0.1:{port}/readers/log/")
        assert here.run("tail", "log", variables=changes).stdout == done.stdout
        assert here.run("tail", link, variables=changes).stdout == done.stdout
        assert here.run("tail", link.replace("//", f"//{QUOTED}@")).stdout == done.stdout
        assert json.loads(here.run("status", "--json", "log", variables=changes).stdout)["size"] == 18
        if way == "token":
            assert here.run("ls", "--names", variables=changes).stdout == b"log\n"
        made = here.run("link", "log", variables=changes)
        assert made.stdout.decode().strip() == link
        assert here.run("rm", "log", variables=changes).returncode == 0
        for told in (done.stderr, refused.stderr, made.stdout):
            assert b"tr0ub" not in told


def test_password_is_not_told_when_the_server_is_away(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        url = here.server.replace("//", f"//{QUOTED}@")
        done = here.run("push", "--name", "x", "--drain", "0.1", data=b"bytes", LIVELOG_SERVER=url)
        assert done.returncode == 6
        assert b"Connection refused" in done.stderr
        tailed = here.run("tail", "--give-up", "0.1", f"{url}/log/x/y")
        assert b"tr0ub" not in done.stderr + tailed.stderr
        (spool,) = here.spools
        assert "tr0ub" not in (spool / "upload.json").read_text()
        here.start()
        assert here.run("push", "-q", str(spool)).returncode == 0
        assert here.log("x") == b"bytes"


# Forwarding proxies.


class Forwarder:
    """A forwarding proxy (RFC 9110 section 3.7): absolute targets, and tunnels. `asked`: the first line of each request.

    `login`: whom it lets through. Interim responses are passed on only as the bytes that they are, in tunnels.
    """

    def __init__(self, login: str = "") -> None:
        self.asked: list[str] = []
        self._login = login
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and (data := near.recv(65536)):
                head += data
            if not head:
                return
            fields, _, rest = head.partition(b"\r\n\r\n")
            line, *others = fields.decode("latin-1").split("\r\n")
            self.asked.append(line)
            wanted = f"Proxy-Authorization: Basic {base64.b64encode(self._login.encode()).decode()}"
            if self._login and wanted not in others:
                near.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            method, target, version = line.split()
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                start = b""
            else:
                assert target.startswith("http://"), line
                authority, slash, path = target.removeprefix("http://").partition("/")
                host, _, port = authority.rpartition(":")
                passed = [one for one in others if not one.startswith(("Proxy-", "Connection:"))]
                start = "\r\n".join(
                    [f"{method} {slash}{path} {version}", *passed, "Connection: close", "", ""]
                ).encode()
            # It alone knows where that name leads.
            far = socket.create_connection(("127.0.0.1" if host == "logs.example.org" else host, int(port)), TIMEOUT)
            with far:
                far.settimeout(None)
                if method == "CONNECT":
                    near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                far.sendall(start + rest)
                threading.Thread(target=_pass_on, args=(near, far), daemon=True).start()
                _pass_on(far, near)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def forwarder(login: str = "") -> Iterator[Forwarder]:
    made = Forwarder(login)
    try:
        yield made
    finally:
        made.close()


def named(url: str) -> str:
    """`url` with a host that the proxy alone can find."""
    return url.replace("127.0.0.1", "logs.example.org")


@pytest.mark.parametrize(
    ("login", "proxy", "variable"),
    one_of(
        3,
        [
            ("", "http://127.0.0.1:{port}", "http_proxy"),
            ("", "http://127.0.0.1:{port}/", "HTTP_PROXY"),
            ("", "127.0.0.1:{port}", "http_proxy"),
            (LOGIN, f"http://{QUOTED}@127.0.0.1:{{port}}", "http_proxy"),
        ],
    ),
)
def test_http_proxy_is_obeyed_by_all_commands(tmp_path: Path, login: str, proxy: str, variable: str) -> None:
    public = {
        "LIVELOG_PUT_HOST": "0.0.0.0",
        "LIVELOG_PUT_UNGUARDED": "1",
    }  # a private port takes no names but localhost
    with place(tmp_path / "home", variables=public) as here, forwarder(login) as way:
        changes = {
            "LIVELOG_SERVER": named(here.server),
            "LIVELOG_PUBLIC_URL": named(here.readers),
            variable: proxy.format(port=way.port),
        }
        done = here.run("run", "--name", "log", "--", "seq", "9", variables=changes)
        assert done.returncode == 0
        assert b"livelog: readers:" in done.stderr
        assert here.run("tail", "log", variables=changes).stdout == done.stdout
        assert here.run("tail", "log", variables={**changes, "ACCESS_TOKEN": ""}).stdout == done.stdout
        assert here.run("ls", "--names", variables=changes).stdout == b"log\n"
        assert any(line.startswith(f"PUT {named(here.server)}/log/log ") for line in way.asked)
        asked = [line for line in way.asked if line.startswith(f"GET {named(here.readers)}/")]
        assert {line.split()[1].removeprefix(named(here.readers)).partition("?")[0] for line in asked} >= {
            "/lines/log",
            "/log/log",
        }, asked
        assert b"tr0ub" not in done.stderr


def test_https_goes_through_a_tunnel(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = environment(authority.sign("localhost"))
    with place(tmp_path / "home", variables=certificate) as here, forwarder(LOGIN) as way:
        readers = here.readers.replace("http:", "https:")
        assert here.run("push", "-q", "--name", "log", data=lines(9)).returncode == 0
        changes = {
            "LIVELOG_PUBLIC_URL": readers,
            "https_proxy": f"http://{QUOTED}@127.0.0.1:{way.port}",
            "LIVELOG_CA_FILE": str(authority.certificate),
        }
        done = here.run("tail", "log", variables=changes)
        assert (done.stdout, done.stderr) == (lines(9), b"")
        assert {line.rpartition(" ")[0] for line in way.asked} == {f"CONNECT {readers.removeprefix('https://')}"}
        wrong = {**changes, "https_proxy": f"http://127.0.0.1:{way.port}"}
        refused = here.run("tail", "--give-up", "0.1", "log", variables=wrong)
        assert (refused.returncode, b"407" in refused.stderr) == (6, True)


def test_proxy_that_refuses_is_told(tmp_path: Path) -> None:
    with place(tmp_path / "home") as here, forwarder(LOGIN) as way:
        proxy = {"http_proxy": f"http://127.0.0.1:{way.port}"}
        refused = here.run("tail", "log", variables=proxy)
        assert (refused.returncode, b"407 Proxy Authentication Required" in refused.stderr) == (1, True)
        done = here.run("run", "--name", "log", "--", "echo", "done", variables=proxy)
        assert (done.returncode, done.stdout) == (0, b"done\n")
        assert b"407" in done.stderr
        away = here.run("tail", "--give-up", "0.1", "log", http_proxy="http://u:secret@127.0.0.1:9")
        assert (away.returncode, away.stderr.decode()) == (
            6,
            f"livelog: {here.readers} (by the proxy http://127.0.0.1:9) cannot be reached: Connection refused\n",
        )
        for wrong in ("socks5://127.0.0.1:9", "http://u:secret@[", "http://u:secret@"):
            told = here.run("tail", "log", http_proxy=wrong)
            assert told.returncode == 1
            assert told.stderr.decode().startswith("livelog: http_proxy is not the URL of a proxy")
            assert b"secret" not in told.stderr
            assert here.run("run", "-q", "--drain", "1", "--", "echo", "done", http_proxy=wrong).stdout == b"done\n"


def test_hosts_of_no_proxy_and_a_server_that_nobody_named_are_asked_directly(tmp_path: Path) -> None:
    with place(tmp_path / "home") as here:
        dead = {"http_proxy": "http://127.0.0.1:9"}
        for excepted in ("127.0.0.1", "*", "example.org, 127.0.0.0/8"):
            changes = {**dead, "no_proxy": excepted}
            assert here.run("push", "-q", "--name", "log", data=b"bytes", variables=changes).returncode == 0
            assert here.run("tail", "log", variables=changes).stdout == b"bytes"
        ports = {
            f"LIVELOG_{way}_PORT": url.rpartition(":")[2] for way, url in (("PUT", here.server), ("GET", here.readers))
        }
        unnamed = {**dead, **ports, "LIVELOG_SERVER": "", "LIVELOG_PUBLIC_URL": ""}
        assert here.run("push", "-q", "--name", "log", data=b"bytes", variables=unnamed).returncode == 0
        assert here.run("tail", "log", variables=unnamed).stdout == b"bytes"
        done = here.run("run", "--", "echo", "done", variables={**dead, "LIVELOG_SERVER": "", "LIVELOG_PUBLIC_URL": ""})
        assert (done.returncode, b"kept" in done.stderr, len(links(done.stderr))) == (0, False, 2)
