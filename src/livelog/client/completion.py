"""Scripts that have shells complete the command's words: `livelog completion bash | zsh | fish`.

Made from the parsers of the commands, so that they know what the commands know. Names of logs are asked of the server,
where ACCESS_TOKEN is set.
"""

import argparse
import re
from collections.abc import Mapping

SHELLS = ("bash", "zsh", "fish")

NAMED = ("tail", "status", "open", "link")
"""Commands that take the name of a log."""

_BASH = """\
# Completion of livelog for bash: put  eval "$(livelog completion bash)"  into ~/.bashrc
_livelog() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case ${{COMP_WORDS[1]}} in
{options}
        esac
        case ${{COMP_WORDS[1]}} in
        {named}) [ "${{word#-}}" != "$word" ] || words=$(livelog ls --names 2>/dev/null) ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _livelog livelog
"""

_ZSH = """\
# Completion of livelog for zsh: put  eval "$(livelog completion zsh)"  into ~/.zshrc, behind compinit
_livelog() {{
    local -a words
    if (( CURRENT == 2 )); then
        words=({commands})
    else
        case $words[2] in
{options}
        esac
        case $words[2] in
        ({named}) [[ $PREFIX == -* ]] || words=(${{(f)"$(livelog ls --names 2>/dev/null)"}}) ;;
        esac
    fi
    compadd -a words
    _files
}}
compdef _livelog livelog
"""

_FISH = """\
# Completion of livelog for fish: livelog completion fish > ~/.config/fish/completions/livelog.fish
complete -c livelog -n __fish_use_subcommand -f -a "{commands}"
{options}
complete -c livelog -n "__fish_seen_subcommand_from {named}" -a "(livelog ls --names 2>/dev/null)"
"""


def script(shell: str, parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    """The script for one of `SHELLS`. `parsers`: the parser of each command."""
    options = {name: _options(parser) for name, parser in parsers.items()}
    commands = " ".join(parsers)
    if shell == "fish":
        lines = [
            f"complete -c livelog -n '__fish_seen_subcommand_from {name}' {_fish(option)}"
            for name, known in options.items()
            for option in known
        ]
        return _FISH.format(commands=commands, options="\n".join(lines), named=" ".join(NAMED))
    if shell == "zsh":
        cases = [f"        ({name}) words=({' '.join(known)}) ;;" for name, known in options.items()]
        text = _ZSH.format(commands=commands, options="\n".join(cases), named="|".join(NAMED))
        # In zsh `words` is the command line: the candidates need another name.
        return re.sub(r"\bwords\b(?!\[)", "candidates", text)
    cases = [f'        {name}) words="{" ".join(known)}" ;;' for name, known in options.items()]
    return _BASH.format(commands=commands, options="\n".join(cases), named="|".join(NAMED))


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return sorted(set(re.findall(r"(?<=[\[ |])--?[a-z][a-z-]*(?=[ \]])", f"{parser.format_usage()} [--help]")))


def _fish(option: str) -> str:
    return f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
