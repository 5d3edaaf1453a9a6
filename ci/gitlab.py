"""Writes `ci/gitlab.yml`: GitLab includes YAML alone, so `ci/livelog-step` stands in it. Run it when that has changed."""

from pathlib import Path

HERE = Path(__file__).parent

HEAD = """\
# A job whose commands are in live logs: include this file, `extends: .livelog`, and `livelog_step COMMAND` in the script.
# Made by ci/gitlab.py from ci/livelog-step.
.livelog:
  before_script:
    - |
      rm -rf "$CI_PROJECT_DIR.tmp/livelog" "$CI_PROJECT_DIR.tmp"/livelog-*
      mkdir -p "$CI_PROJECT_DIR.tmp/livelog"
      cat > "$CI_PROJECT_DIR.tmp/livelog/livelog-step" <<'END-OF-LIVELOG-STEP'
"""

TAIL = """\
      END-OF-LIVELOG-STEP
      livelog_step() { sh "$CI_PROJECT_DIR.tmp/livelog/livelog-step" "$@"; }
  artifacts:
    when: always
    reports:
      annotations: livelog-annotations.json
"""


def text() -> str:
    """The file."""
    script = (HERE / "livelog-step").read_text(encoding="utf-8")
    return HEAD + "".join(f"      {line}".rstrip() + "\n" for line in script.splitlines()) + TAIL


if __name__ == "__main__":
    (HERE / "gitlab.yml").write_text(text(), encoding="utf-8")
