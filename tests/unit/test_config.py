"""Settings: one row per setting, from its variable and from its flag, and every wrong value with its exit code.

Categories: defaults, accepted values, wrong values, the flag that wins, the token's file, the certificate's pair,
and that no message holds the token.
"""

import argparse
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog import config
from livelog.config import Settings, add_flags, load
from livelog.errors import ConfigError

TOKEN = "secret-puppy_42"
BASE = {"ACCESS_TOKEN": TOKEN}

ROWS: list[tuple[str, str, str, object, str, object]] = [
    # field, variable, flag, default, text, value
    ("put_port", "LIVELOG_PUT_PORT", "--put-port", 60022, "1234", 1234),
    ("get_port", "LIVELOG_GET_PORT", "--get-port", 60023, "1234", 1234),
    ("put_host", "LIVELOG_PUT_HOST", "--put-host", (), "10.0.0.1,::1", ("10.0.0.1", "::1")),
    ("get_host", "LIVELOG_GET_HOST", "--get-host", (), "0.0.0.0", ("0.0.0.0",)),
    ("write_token", "LIVELOG_WRITE_TOKEN", "--write-token-file", None, "other-secret", "other-secret"),
    ("put_unguarded", "LIVELOG_PUT_UNGUARDED", "--put-unguarded", False, "yes", True),
    (
        "public_url",
        "LIVELOG_PUBLIC_URL",
        "--public-url",
        None,
        "https://logs.example.org/ci/",
        "https://logs.example.org/ci",
    ),
    ("server_crt_file", "SERVER_CRT_FILE", "--server-crt-file", None, "a.crt", "a.crt"),
    ("server_key_file", "SERVER_KEY_FILE", "--server-key-file", None, "a.key", "a.key"),
    ("data_dir", "LIVELOG_DATA_DIR", "--data-dir", None, "/some where", "/some where"),
    ("temp_dir", "LIVELOG_TEMP_DIR", "--temp-dir", None, "/some where", "/some where"),
    ("resume_grace", "LIVELOG_RESUME_GRACE", "--resume-grace", 60.0, "2m", 120.0),
    ("max_log_size", "LIVELOG_MAX_LOG_SIZE", "--max-log-size", None, "1000000", 1000000),
    ("max_logs", "LIVELOG_MAX_LOGS", "--max-logs", None, "7", 7),
    ("keep_attempts", "LIVELOG_KEEP_ATTEMPTS", "--keep-attempts", 1, "3", 3),
    ("max_total_size", "LIVELOG_MAX_TOTAL_SIZE", "--max-total-size", None, "10G", 10 * 1024**3),
    ("max_age", "LIVELOG_MAX_AGE", "--max-age", None, "7d", 604800.0),
    ("disk_reserve", "LIVELOG_DISK_RESERVE", "--disk-reserve", None, "512m", 512 * 1024**2),
    ("max_readers", "LIVELOG_MAX_READERS", "--max-readers", None, "1", 1),
    ("stall_timeout", "LIVELOG_STALL_TIMEOUT", "--stall-timeout", 300.0, "0.5", 0.5),
    ("idle_timeout", "LIVELOG_IDLE_TIMEOUT", "--idle-timeout", 30.0, "7", 7.0),
    ("shutdown_timeout", "LIVELOG_SHUTDOWN_TIMEOUT", "--shutdown-timeout", 10.0, "1e3", 1000.0),
    ("log_format", "LIVELOG_LOG_FORMAT", "--log-format", "text", "json", "json"),
    ("debug", "DEBUG", "--debug", None, "*", "*"),
]
PAIR = {"SERVER_CRT_FILE": "other.crt", "SERVER_KEY_FILE": "other.key"}
SECRETS = ("ACCESS_TOKEN", "LIVELOG_WRITE_TOKEN")


def flags(*arguments: str) -> dict[str, str | None]:
    parser = argparse.ArgumentParser(prog="livelog", allow_abbrev=False)
    add_flags(parser)
    return vars(parser.parse_args(arguments))


def test_every_setting_has_a_row() -> None:
    assert ["access_token", *(row[0] for row in ROWS)] == [setting.name for setting in fields(Settings)]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_setting_comes_from_its_flag_then_its_variable_then_its_default(
    row: tuple[str, str, str, object, str, object], tmp_path: Path
) -> None:
    field, variable, flag, default, text, value = row
    assert getattr(load(BASE, flags()), field) == default
    assert getattr(load({**BASE, variable: ""}, flags()), field) == default
    pair = PAIR if variable in PAIR else {}
    guard = {"LIVELOG_PUT_UNGUARDED": "1"} if variable == "LIVELOG_PUT_HOST" else {}
    assert getattr(load({**BASE, **pair, **guard, variable: text}, flags()), field) == value
    others = {
        "LIVELOG_PUT_HOST": "::",
        "LIVELOG_GET_HOST": "::",
        "LIVELOG_PUBLIC_URL": "http://a",
        "LIVELOG_LOG_FORMAT": "text",
    }
    if flag.endswith("token-file"):
        (tmp_path / "token").write_text(text)
        text = str(tmp_path / "token")
    environment = {**BASE, **pair, **guard, variable: others.get(variable, "1")}
    assert getattr(load(environment, flags(flag, text)), field) == value


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("LIVELOG_PUT_PORT", "0", 0),
        ("LIVELOG_GET_PORT", "65535", 65535),
        ("LIVELOG_PUT_PORT", "0080", 80),
        ("LIVELOG_PUT_HOST", "localhost", ("127.0.0.1", "::1")),
        ("LIVELOG_PUT_HOST", " 127.0.0.1 , [::1] ,", ("127.0.0.1", "::1")),
        ("LIVELOG_GET_HOST", "0:0::1", ("::1",)),
        ("LIVELOG_MAX_LOG_SIZE", "00012", 12),
        ("LIVELOG_MAX_LOG_SIZE", str(2**70), 2**70),
        ("LIVELOG_MAX_LOG_SIZE", "3k", 3072),
        ("LIVELOG_DISK_RESERVE", "2T", 2 * 1024**4),
        ("LIVELOG_MAX_AGE", "1.5h", 5400.0),
        ("LIVELOG_MAX_AGE", "90s", 90.0),
        ("LIVELOG_PUT_UNGUARDED", "0", False),
        ("LIVELOG_PUT_UNGUARDED", "TRUE", True),
        ("LIVELOG_PUBLIC_URL", "http://[::1]:60023", "http://[::1]:60023"),
    ],
)
def test_values_are_read_as_meant(variable: str, text: str, value: object) -> None:
    field = variable.removeprefix("LIVELOG_").lower()
    assert getattr(load({**BASE, variable: text}, {}), field) == value


def test_readers_and_producers_have_no_secret_in_common() -> None:
    with pytest.raises(ConfigError, match="LIVELOG_WRITE_TOKEN is the same as ACCESS_TOKEN") as raised:
        load({"ACCESS_TOKEN": "same", "LIVELOG_WRITE_TOKEN": "same"}, {})
    assert raised.value.exit_code == 78


@pytest.mark.parametrize("hosts", ["0.0.0.0", "127.0.0.1,::", "10.0.0.1"])
def test_a_producers_port_that_others_reach_must_be_guarded_or_waived(hosts: str) -> None:
    open_port = {**BASE, "LIVELOG_PUT_HOST": hosts}
    with pytest.raises(ConfigError, match="set LIVELOG_WRITE_TOKEN .* or LIVELOG_PUT_UNGUARDED=1") as raised:
        load(open_port, {})
    assert raised.value.exit_code == 78
    with pytest.raises(ConfigError):
        load({**open_port, "LIVELOG_PUT_UNGUARDED": "0"}, {})
    assert load({**open_port, "LIVELOG_WRITE_TOKEN": "other-secret"}, {}).write_token == "other-secret"
    assert load({**open_port, "LIVELOG_PUT_UNGUARDED": "1"}, {}).put_unguarded


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://localhost:1"),
        ({"LIVELOG_GET_HOST": "0.0.0.0,::"}, "http://localhost:1"),
        ({"LIVELOG_GET_HOST": "0.0.0.0,10.0.0.1"}, "http://10.0.0.1:1"),
        ({"LIVELOG_GET_HOST": "::1"}, "http://[::1]:1"),
        (PAIR, "https://localhost:1"),
        ({"LIVELOG_PUBLIC_URL": "https://a/b/", **PAIR}, "https://a/b"),
    ],
)
def test_links_begin_with_the_address_that_readers_reach(settings: dict[str, str], url: str) -> None:
    assert load({**BASE, **settings}, {}).readers_url(1) == url


NO_NUMBER = ["abc", "6o022", "60022x", "1.5", "1e3", "0x10", "1_0", "--1", " 1", "1 ", "1\n", "\u0661", "+", "-", " "]
NO_PORT = ["-1", "65536", "+65536", "99999", "-60022", "100000000"]
NO_SECONDS = ["0", "-1", "0.0", "nan", "inf", "-inf", "1e10", "1e400", "soon", "1w", "1,5", "1 h", "h", "1hm"]
WRONG: list[tuple[str, int, list[str]]] = [
    ("LIVELOG_PUT_PORT", 64, NO_NUMBER),
    ("LIVELOG_PUT_PORT", 65, NO_PORT),
    ("LIVELOG_GET_PORT", 66, NO_NUMBER),
    ("LIVELOG_GET_PORT", 67, NO_PORT),
    ("LIVELOG_PUT_HOST", 78, [",", " , ", "example.com", "1.2.3", "::1::", "127.0.0.1:80", "*", "1.2.3.4;::1"]),
    ("LIVELOG_GET_HOST", 78, ["example.com", "256.0.0.1", "127.0.0.1 ::1"]),
    (
        "LIVELOG_MAX_LOG_SIZE",
        78,
        ["0", "00", "-1", "+1", "1.0", "1e3", "1_0", "1kb", "1P", "K", " 1", "\u0661", "\u00b2"],
    ),
    ("LIVELOG_MAX_READERS", 78, ["0", "-1", "many"]),
    ("LIVELOG_STALL_TIMEOUT", 78, NO_SECONDS),
    ("LIVELOG_IDLE_TIMEOUT", 78, NO_SECONDS),
    ("LIVELOG_SHUTDOWN_TIMEOUT", 78, NO_SECONDS),
    ("LIVELOG_PUT_PORT", 65, ["1000000000", "-1000000000", "9" * 5000]),
    ("LIVELOG_MAX_LOG_SIZE", 78, ["9" * 5000]),
    ("LIVELOG_STALL_TIMEOUT", 78, ["1_0", "\u0661"]),
    ("LIVELOG_WRITE_TOKEN", 78, [" ", "a b", "a/b", "a\n", "a+b", "é", "a%41"]),
    ("LIVELOG_PUT_UNGUARDED", 78, ["maybe", "2", "-1"]),
    (
        "LIVELOG_PUBLIC_URL",
        78,
        ["logs.example.org", "ftp://a", "https://", "https://a b", "https://a?b", "https://a#b", "https://a/\n"],
    ),
    ("LIVELOG_LOG_FORMAT", 78, ["JSON", "xml", " json"]),
    ("LIVELOG_MAX_LOGS", 78, ["0", "-1", "1k", "many"]),
    ("LIVELOG_RESUME_GRACE", 78, NO_SECONDS),
    ("LIVELOG_MAX_AGE", 78, NO_SECONDS),
    ("ACCESS_TOKEN", 78, ["", " ", "a b", "a/b", "a\n", "a+b", "é", "a%41"]),
    ("SERVER_CRT_FILE", 78, ["a.crt"]),
    ("SERVER_KEY_FILE", 78, ["a.key"]),
]


def error_of(value: str, environ: dict[str, str], *arguments: str) -> ConfigError:
    """What is said of a wrong value."""
    try:
        load(environ, flags(*arguments))
    except ConfigError as error:
        return error
    pytest.fail(f"{value!r} was taken")


@pytest.mark.parametrize(("variable", "code", "texts"), WRONG)
def test_a_wrong_value_names_its_variable_or_flag_and_has_its_exit_code(
    variable: str, code: int, texts: list[str]
) -> None:
    missing = {"SERVER_CRT_FILE": "SERVER_KEY_FILE", "SERVER_KEY_FILE": "SERVER_CRT_FILE"}
    for text in texts:
        error = error_of(text, {**BASE, variable: text})
        assert error.exit_code == code, text
        assert missing.get(variable, variable) in str(error), text
        assert "\n" not in str(error), text
        if variable in SECRETS:
            assert not text.strip() or text not in str(error), "a token is not echoed"
            continue
        flag = next(row[2] for row in ROWS if row[1] == variable)
        error = error_of(text, BASE, f"{flag}={text}")
        assert error.exit_code == code, text
        assert variable.startswith("SERVER") or flag in str(error), text


def test_a_token_is_required() -> None:
    with pytest.raises(ConfigError, match="ACCESS_TOKEN must be set") as raised:
        load({}, flags())
    assert raised.value.exit_code == 78


@pytest.mark.parametrize("content", [TOKEN, TOKEN + "\n", f" {TOKEN}\r\n"])
def test_the_tokens_flag_names_a_file_that_holds_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content.encode())
    assert load({"ACCESS_TOKEN": "other"}, flags("--access-token-file", str(file))).access_token == TOKEN
    assert load({}, flags("--access-token-file", str(file))).access_token == TOKEN


@pytest.mark.parametrize("content", [None, b"", b"\n", b"two words", b"s\xc3\xa9cret", b"\xff\xfe", b"a\nb"])
def test_a_tokens_file_without_a_token_is_an_error_that_does_not_show_it(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "hidden"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        load(BASE, flags("--access-token-file", str(file)))
    assert raised.value.exit_code == 78
    assert not content or len(content) < 3 or content.decode("latin-1") not in str(raised.value)


def test_a_directory_is_no_tokens_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--access-token-file .* cannot be read"):
        load({}, flags("--access-token-file", str(tmp_path)))


@pytest.mark.parametrize(
    ("hosts", "private"),
    [
        ("", True),
        ("localhost", True),
        ("127.0.0.2,::1", True),
        ("0.0.0.0", False),
        ("127.0.0.1,::", False),
        ("10.0.0.1", False),
    ],
)
def test_the_producers_port_is_private_on_loopback_only(hosts: str, *, private: bool) -> None:
    assert load({**BASE, "LIVELOG_PUT_HOST": hosts, "LIVELOG_PUT_UNGUARDED": "1"}, {}).put_is_loopback is private


def test_help_tells_of_every_variable_and_flag_with_its_default() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    text = " ".join(parser.format_help().split())
    for _, variable, flag, default, _, _ in [("", "ACCESS_TOKEN", "--access-token-file", None, "", ""), *ROWS]:
        assert f"variable {variable}" in text
        assert f"{flag} " in text
        shown = f"{default:g}" if isinstance(default, float) else default
        assert default in (None, (), False) or f"(default {shown}); variable {variable}" in text


def test_some_of_the_settings_may_be_asked_for() -> None:
    """What is wrong with the others does not matter then."""
    environ = {"LIVELOG_PUT_PORT": "7", "LIVELOG_GET_PORT": "none"}
    assert config.given(environ, {}, ("put_port", "put_hosts")) == {"put_port": 7}


def test_a_command_may_have_some_of_the_flags() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, ("get_port",))
    assert vars(parser.parse_args([])) == {"get_port": None}


@given(st.sampled_from([row[1] for row in ROWS]), st.text(max_size=30))
def test_any_text_is_a_setting_or_a_config_error(variable: str, text: str) -> None:
    error: ConfigError | None = None
    try:
        load({**BASE, variable: text}, {})
    except ConfigError as raised:
        error = raised
    assert error is None or error.exit_code in (64, 65, 66, 67, 78)
    assert TOKEN not in str(error)
