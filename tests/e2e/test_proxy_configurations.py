"""The configurations in packaging/proxies, as they stand, in real proxies: what docs/proxies.md says of them.

What is changed: ports, for ones that are free, and paths, for ones below the test's folder. Each change must find something.

Categories: lines as they come · large bodies · who may write · cuts · links · other paths · no token in any log of the proxy ·
metrics with a password. Traefik, which Debian does not have, is only read.
"""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # schemathesis brings it

from tests.harness import TOKEN, Server, reserved_port
from tests.integration.certificates import Authority, openssl
from tests.integration.servers import running, wait_until
from tests.sample import one_of

from .programs import TIMEOUT, Program, curl, program

FOLDER = Path(__file__).parents[2] / "packaging/proxies"

WRITE_TOKEN = "write-secret_7"
PASSWORD = "metrics-secret"

READERS, PRODUCERS, METRICS = "logs.example.org", "producers.example.org", "metrics.example.org"


def settings() -> dict[str, str]:
    """The variables of livelog.env, but for the data directory, which is the test's."""
    lines = (FOLDER / "livelog.env").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set(found) == {"LIVELOG_PUBLIC_URL", "LIVELOG_GET_HOST", "LIVELOG_DATA_DIR"}
    return found


def configured(name: str, folder: Path, changes: Sequence[tuple[str, str]]) -> Path:
    """A configuration with the test's ports and paths."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def certificate(folder: Path) -> Path:
    """A certificate for the three names below `folder`. Returns that of its authority."""
    authority = Authority(folder)
    tls = folder / "tls"
    tls.mkdir()
    names = ",".join(f"DNS:{name}" for name in (READERS, PRODUCERS, METRICS))
    key, request, site = tls / "site.key", tls / "site.csr", tls / "site.crt"
    openssl(
        *("req", "-newkey", "rsa:2048", "-noenc", "-subj", f"/CN={READERS}", "-keyout", key, "-out", request),
        *("-addext", f"subjectAltName={names}"),
    )
    openssl(
        *("x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", folder / "authority.key"),
        *("-CAcreateserial", "-days", "2", "-copy_extensions", "copyall", "-out", site),
    )
    (tls / "site.pem").write_bytes(site.read_bytes() + key.read_bytes())
    return authority.certificate


NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    access_log {folder}/access.log;
    error_log {folder}/error.log;
    gzip on;
    include {file};
}}
"""
"""What Debian's /etc/nginx/nginx.conf is around a file of conf.d."""


def nginx(folder: Path, port: int, server: Server) -> list[str | Path]:
    """The command of an nginx with nginx.conf."""
    hashed = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True)
    (folder / "metrics.htpasswd").write_text(f"prometheus:{hashed.stdout}", encoding="ascii")
    changes = [
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"), ("127.0.0.1:60022", f"127.0.0.1:{server.put.port}"),
        ("127.0.0.1:60023", f"127.0.0.1:{server.get.port}"), ("/etc/livelog/", f"{folder}/"),
        ("/var/log/nginx/", f"{folder}/nginx-"),
    ]  # fmt: skip
    file = configured("nginx.conf", folder, changes)
    outer = folder / "outer.conf"
    user = "" if os.geteuid() else "user root;"
    outer.write_text(NGINX.format(folder=folder, file=file, user=user), encoding="utf-8")
    return [found("nginx"), "-p", folder, "-c", outer]


def caddy(folder: Path, port: int, server: Server) -> list[str | Path]:
    """The command of a Caddy with the Caddyfile."""
    changes = [
        ("https_port 443", f"https_port {port}\n\tadmin off\n\tauto_https disable_redirects"), ("http_port 80", "http_port 1"),
        ("127.0.0.1:60022", f"127.0.0.1:{server.put.port}"), ("127.0.0.1:60023", f"127.0.0.1:{server.get.port}"),
        ("/etc/livelog/", f"{folder}/"),
    ]  # fmt: skip
    return [found("caddy"), "run", "--adapter", "caddyfile", "--config", configured("Caddyfile", folder, changes)]


def haproxy(folder: Path, port: int, server: Server) -> list[str | Path]:
    """The command of a HAProxy with haproxy.cfg."""
    changes = [
        ("bind :443", f"bind 127.0.0.1:{port}"), ("127.0.0.1:60022", f"127.0.0.1:{server.put.port}"),
        ("127.0.0.1:60023", f"127.0.0.1:{server.get.port}"), ("/etc/livelog/", f"{folder}/"), ("maxconn 20000", "maxconn 100"),
    ]  # fmt: skip
    return [found("haproxy"), "-f", configured("haproxy.cfg", folder, changes)]


def found(name: str) -> Path:
    """The path of a program that is installed."""
    path = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    assert path is not None, f"install {name}"
    return Path(path)


@dataclass(frozen=True, slots=True)
class Site:
    """A server behind a proxy."""

    name: str
    server: Server
    proxy: Program
    folder: Path
    authority: Path
    port: int

    def curl(self, *words: str) -> tuple[str, ...]:
        """A curl that reaches the three names at the proxy."""
        names = [f"{name}:443:127.0.0.1:{self.port}" for name in (READERS, PRODUCERS, METRICS)]
        return curl(
            "--cacert", str(self.authority), *(word for name in names for word in ("--connect-to", name)), *words
        )

    def ask(self, *words: str) -> tuple[int, bytes]:
        """The exit code of such a curl, and what it got."""
        with program(*self.curl(*words)) as asking:
            asking.finish()
            return asking.wait(), asking.output

    def status(self, *words: str) -> str:
        """The status that a request is answered with."""
        code, output = self.ask("-o", "/dev/null", "-w", "%{http_code}", *words)
        assert code == 0, output
        return output.decode()

    def written(self) -> bytes:
        """Whatever the proxy has written, and to whichever file, except its configuration."""
        self.proxy.read(0)
        own = ("nginx.conf", "outer.conf", "Caddyfile", "haproxy.cfg", "metrics.htpasswd")
        files = [
            path
            for path in self.folder.rglob("*")
            if path.is_file() and path.name not in own and "tls" not in path.parts
        ]
        logs = [path.read_bytes() for path in files if "data" not in path.relative_to(self.folder).parts]
        return b"".join([self.proxy.output, self.proxy.errors, *logs])


BEARER = ("-H", f"Authorization: Bearer {WRITE_TOKEN}")


@contextlib.contextmanager
def behind(name: str, folder: Path) -> Iterator[Site]:
    """A server behind the proxy of that name, with the settings of livelog.env."""
    variables = {**settings(), "LIVELOG_DATA_DIR": str(folder / "data"), "LIVELOG_WRITE_TOKEN": WRITE_TOKEN}
    authority = certificate(folder)
    command = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy}[name]
    environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (
        running(variables) as server,
        reserved_port() as port,
        program(*command(folder, port, server), environment=environment, folder=folder) as proxy,
    ):
        wait_until(lambda: accepts(proxy, port), f"{name} accepts")
        yield Site(name, server, proxy, folder, authority, port)
        proxy.read(0)
        assert proxy.process.poll() is None, proxy.errors


def accepts(proxy: Program, port: int) -> bool:
    """Whether the proxy takes connections; it must not have ended."""
    proxy.read(0)
    assert proxy.process.poll() is None, proxy.errors
    with contextlib.suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
        return True
    return False


ALL = [pytest.param(name, marks=pytest.mark.needs(name, "curl", "openssl")) for name in ("nginx", "caddy", "haproxy")]


@pytest.fixture(params=ALL)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A server behind each proxy."""
    with behind(request.param, tmp_path) as here:
        yield here


def reader_url(name: str, token: str = TOKEN) -> str:
    """Where a log is, for readers."""
    return f"https://{READERS}/log/{token}/{name}"


def test_a_log_passes_live_and_whole_and_leaves_no_token_in_the_proxys_logs(site: Site) -> None:
    url = f"https://{PRODUCERS}/log/web/1"
    with program(*site.curl("-fT", "-", *BEARER, url)) as producer:
        with program(*site.curl("-fN", f"{reader_url('web/1')}?wait=30")) as reader:
            for number in range(5):
                line = b"line %d\n" % number
                producer.write(line)
                reader.wait_for(line)
            producer.finish()
            assert (producer.wait(), reader.wait()) == (0, 0), (producer.errors, reader.errors)
            assert reader.output == b"".join(b"line %d\n" % number for number in range(5))
    # Its link is the proxy's, and opens it there.
    code, head = site.ask("-fI", *BEARER, url)
    link = next(line.split()[1].decode() for line in head.splitlines() if line.lower().startswith(b"livelog-link:"))
    assert (code, link.startswith(f"https://{READERS}/log/"), link.endswith("/web/1")) == (0, True, True)
    assert site.ask("-f", link) == (0, b"".join(b"line %d\n" % number for number in range(5)))
    # A large one, of known length.
    large = site.folder / "data" / "large"
    large.write_bytes(b"%099d\n" % 7 * 30_000)
    assert site.ask("-f", "-T", str(large), *BEARER, f"https://{PRODUCERS}/log/large")[0] == 0
    assert site.ask("-f", reader_url("large")) == (0, large.read_bytes())
    # Who may not.
    assert site.status("-T", str(large), f"https://{PRODUCERS}/log/other") == "401"
    assert site.status(reader_url("web/1", "wrong")) == "401"
    # A log that is aborted while it is read; and a server that is gone.
    with program(*site.curl("-fT", "-", *BEARER, f"https://{PRODUCERS}/log/cut")) as producer:
        with program(*site.curl("-fN", f"{reader_url('cut')}?wait=30")) as reader:
            producer.write(b"half\n")
            reader.wait_for(b"half\n")
            producer.process.kill()
            code = reader.wait()
            assert reader.output == b"half\n"
            if site.name != "caddy":  # Debian's is 2.6; 2.8 is the first that hands a broken end on
                assert code in (18, 56), reader.errors
    if site.name != "caddy":
        assert site.ask("-f", reader_url("cut"))[0] in (18, 56)
    assert site.server.stop() == 0
    assert site.status(reader_url("web/1")) in ("502", "503")
    written = site.written()
    token = link.split("/")[4].encode()
    assert [secret for secret in (TOKEN.encode(), token, WRITE_TOKEN.encode()) if secret in written] == []


@pytest.mark.parametrize("site", one_of(len(ALL), ALL), indirect=True)
def test_an_upload_is_resumed_through_the_proxy(site: Site) -> None:
    """Its address is relative, and right behind the proxy."""
    url = f"https://{PRODUCERS}/log/parts"
    part = site.folder / "data" / "part"
    part.write_bytes(b"one\n")
    code, head = site.ask("-fD", "-", "-o", "/dev/null", "-T", str(part), "-H", "Upload-Complete: ?0", *BEARER, url)
    assert code == 0
    location = next(line.split()[1].decode() for line in head.splitlines() if line.lower().startswith(b"location:"))
    upload = f"https://{PRODUCERS}/log/{location}"
    more = ("-H", "Content-Type: application/partial-upload", "-H", "Upload-Offset: 4", "-H", "Upload-Complete: ?1")
    assert site.ask("-f", "-X", "PATCH", "-T", str(part), *more, *BEARER, upload)[0] == 0
    assert site.ask("-f", reader_url("parts")) == (0, b"one\none\n")


@pytest.mark.parametrize("site", one_of(len(ALL), ALL), indirect=True)
def test_producers_name_has_logs_and_uploads_and_nothing_else(site: Site) -> None:
    for path in ("/metrics", "/healthz", "/readyz", "/", "/logs/x"):
        assert site.status(*BEARER, f"https://{PRODUCERS}{path}") == "404", path


@pytest.mark.needs("nginx", "curl", "openssl")
def test_metrics_are_there_for_a_prometheus_with_the_password(tmp_path: Path) -> None:
    with behind("nginx", tmp_path) as site:
        url = f"https://{METRICS}/metrics"
        assert site.status(url) == site.status("-u", "prometheus:wrong", url) == "401"
        code, output = site.ask("-f", "-u", f"prometheus:{PASSWORD}", url)
        assert (code, b"livelog_info" in output) == (0, True)
        assert site.status("-u", f"prometheus:{PASSWORD}", f"https://{METRICS}/log/x") == "404"


def test_configurations_of_traefik_are_yaml_and_say_that_they_were_not_tested() -> None:
    static, dynamic = (FOLDER / name for name in ("traefik.yaml", "traefik-livelog.yaml"))
    for path in (static, dynamic):
        assert "NOT TESTED" in path.read_text(encoding="utf-8")
    read = yaml.safe_load(dynamic.read_text(encoding="utf-8"))["http"]
    assert set(read["routers"]) == set(read["services"]) == {"readers", "producers"}
    assert read["services"]["producers"]["loadBalancer"]["passHostHeader"] is False
    assert set(yaml.safe_load(static.read_text(encoding="utf-8"))["entryPoints"]) == {"https"}


def test_every_configuration_is_described() -> None:
    text = (FOLDER.parents[1] / "docs/proxies.md").read_text(encoding="utf-8")
    assert [path.name for path in sorted(FOLDER.iterdir()) if f"packaging/proxies/{path.name})" not in text] == []
