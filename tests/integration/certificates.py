"""Certificates made by `openssl` for one test: an authority, and servers' certificates that it signed."""

import ssl
import subprocess
from pathlib import Path

from tests.conformance.link import Address

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
"""A new key, for the tenth of what one of RSA costs."""

NAMES = "subjectAltName=DNS:localhost,DNS:livelog.test,IP:127.0.0.1,IP:::1"


def openssl(*words: str | Path) -> None:
    """Run `openssl`, which must succeed."""
    done = subprocess.run(["openssl", *words], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


class Authority:
    """A certificate authority of its own, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "authority.crt"
        self._key = folder / "authority.key"
        self._folder = folder
        openssl(
            *("req", "-x509", *KEY, "-noenc", "-subj", "/CN=test authority", "-days", "2"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),  # Python 3.13 asks for it
            *("-keyout", self._key, "-out", self.certificate),
        )

    def sign(self, name: str, passphrase: str | None = None) -> tuple[Path, Path]:
        """A new certificate with `name` as its common name, and its key."""
        certificate, key, request = (self._folder / f"{name}.{suffix}" for suffix in ("crt", "key", "csr"))
        encryption = ("-noenc",) if passphrase is None else ("-passout", f"pass:{passphrase}")
        openssl(
            *("req", *KEY, *encryption, "-subj", f"/CN={name}", "-keyout", key, "-out", request),
            *("-addext", NAMES),
        )
        openssl(
            *("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial"),
            *("-days", "2", "-copy_extensions", "copyall", "-out", certificate),
        )
        return certificate, key

    def client(self) -> ssl.SSLContext:
        """What a client needs that trusts this authority only, and checks names."""
        return ssl.create_default_context(cafile=self.certificate)

    def address(self, context: ssl.SSLContext | None = None) -> Address:
        """What `tests.harness.serving` needs to connect as such a client."""
        return Address("127.0.0.1", 0, context or self.client())


def environment(pair: tuple[Path, Path]) -> dict[str, str]:
    """The variables that make a server use a certificate and its key."""
    return {"SERVER_CRT_FILE": str(pair[0]), "SERVER_KEY_FILE": str(pair[1])}
