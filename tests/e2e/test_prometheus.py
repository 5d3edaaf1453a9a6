"""packaging/prometheus as it stands: Prometheus's own tool takes the files, and the rules look at metrics that the server has."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # schemathesis brings it

ROOT = Path(__file__).parents[2]

FOLDER = ROOT / "packaging/prometheus"

pytestmark = pytest.mark.needs("promtool")


def promtool(*words: str) -> None:
    """Run it, which must succeed."""
    tool = shutil.which("promtool")
    assert tool is not None
    done = subprocess.run([tool, *words], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_scrape_configuration() -> None:
    """But does not look for the file of the password, which only a real Prometheus has."""
    promtool("check", "config", "--syntax-only", "prometheus.yml")


def test_promtool_takes_the_rules_and_their_tests_pass() -> None:
    promtool("check", "rules", "livelog.rules.yml")
    promtool("test", "rules", "livelog.rules.test.yml")


def rules() -> dict[str, str]:
    """The expression of each alert, by its name."""
    groups = yaml.safe_load((FOLDER / "livelog.rules.yml").read_text(encoding="utf-8"))["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def test_rules_look_only_at_metrics_and_labels_that_are_documented() -> None:
    """Which are those that there are: `test_monitoring.py` compares."""
    text = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    known = {name: set(filter(None, (labels or "").split(","))) for name, labels in re.findall(r"`(livelog_[a-z_]+)(?:\{([a-z,]+)\})?`", text)}  # fmt: skip
    for alert, expression in rules().items():
        for name, matchers in re.findall(r"(livelog_[a-z_]+)(?:\{([^}]*)\})?", expression):
            assert name.removesuffix("_bucket") in known, alert
            labels = set(re.findall(r"([a-z]+)(?:=~|=)", matchers))
            assert labels <= known[name.removesuffix("_bucket")], alert


def test_every_alert_is_described() -> None:
    text = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    assert [alert for alert in rules() if f"| `{alert}` |" not in text] == []


def test_rules_name_reasons_that_the_server_counts() -> None:
    """The phrases of statuses, and problem types: see `livelog.wire.problem.answer`."""
    from livelog.wire import problem  # noqa: PLC0415

    kinds = {problem.answer(each.error(), "").kind for each in problem.TABLE if "{" not in each.text}
    kinds |= {problem.answer(problem.TOO_MANY_LOGS.error(count=1), "").kind}
    kinds |= {
        problem.answer(each.error(id="", operation="", cause=""), "").kind
        for each in (problem.FAILED, problem.DISK_FULL)
    }
    named = {reason for expression in rules().values() for reason in re.findall(r"reason=\"([a-z-]+)\"", expression)}
    assert named
    assert named <= kinds
