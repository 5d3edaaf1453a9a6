"""Completion scripts for shells: `livelog completion bash | zsh | fish`.

They are made from the parsers of the commands, so they contain all options. Names of logs are fetched from the server, if
ACCESS_TOKEN is set.
"""

import argparse
import re
from collections.abc import Mapping

SHELLS = ("bash", "zsh", "fish")

NAMED = ("tail", "grep", "show", "wait", "status", "open", "link", "rm")
"""The commands that take the name of a log."""

MANY = 10_000
"""The limit of names that are fetched from the server, the newest first."""

_BASH = """\
# Completion of livelog for bash: put  eval "$(livelog completion bash)"  into ~/.bashrc
_livelog() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words="" place
    if [ "${{COMP_WORDS[1]}}" = run ]; then
        for ((place = 2; place < COMP_CWORD; place++)); do
            [ "${{COMP_WORDS[place]}}" = -- ] || continue
            if declare -F _command_offset >/dev/null; then
                _command_offset $((place + 1))
            elif [ "$COMP_CWORD" -eq $((place + 1)) ]; then
                COMPREPLY=($(compgen -c -- "$word"))
            fi
            return
        done
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case ${{COMP_WORDS[1]}} in
{options}
        esac
        case ${{COMP_WORDS[1]}} in
        {named}) [ "${{word#-}}" != "$word" ] || words=$(livelog ls --names -n {many} 2>/dev/null) ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _livelog livelog
"""

_ZSH = """\
#compdef livelog
# Completion of livelog for zsh: put  eval "$(livelog completion zsh)"  into ~/.zshrc, behind compinit,
# or this text into a file _livelog in a folder of $fpath.
_livelog() {{
    local -a candidates
    local place=${{words[(i)--]}}
    if [[ $words[2] == run ]] && (( CURRENT > place )); then
        shift $place words
        (( CURRENT -= place ))
        _normal
        return
    fi
    if (( CURRENT == 2 )); then
        candidates=({commands})
    else
        case $words[2] in
{options}
        esac
        case $words[2] in
        ({named}) [[ $PREFIX == -* ]] || candidates=(${{(f)"$(livelog ls --names -n {many} 2>/dev/null)"}}) ;;
        esac
    fi
    compadd -a candidates
    _files
}}
if [ "$funcstack[1]" = _livelog ]; then _livelog "$@"; else compdef _livelog livelog; fi
"""

_FISH = """\
# Completion of livelog for fish: livelog completion fish > ~/.config/fish/completions/livelog.fish
complete -c livelog -n __fish_use_subcommand -f -a "{commands}"
{options}
complete -c livelog -n "string match -qr '^livelog +run .*-- ' -- (commandline -cp)" \
    -a "(complete -C (string replace -r '^.*? -- +' '' -- (commandline -cp)))"
complete -c livelog -n "__fish_seen_subcommand_from {named}" -a "(livelog ls --names -n {many} 2>/dev/null)"
"""


def script(shell: str, parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    """The completion script for one of `SHELLS`. `parsers`: the parser of each command."""
    options = {name: _options(parser) for name, parser in parsers.items()}
    commands = " ".join(parsers)
    if shell == "fish":
        lines = [
            f"complete -c livelog -n '__fish_seen_subcommand_from {name}' {_fish(option)}"
            for name, known in options.items()
            for option in known
        ]
        return _FISH.format(commands=commands, options="\n".join(lines), named=" ".join(NAMED), many=MANY)
    if shell == "zsh":
        cases = [f"        ({name}) candidates=({' '.join(known)}) ;;" for name, known in options.items()]
        return _ZSH.format(commands=commands, options="\n".join(cases), named="|".join(NAMED), many=MANY)
    cases = [f'        {name}) words="{" ".join(known)}" ;;' for name, known in options.items()]
    return _BASH.format(commands=commands, options="\n".join(cases), named="|".join(NAMED), many=MANY)


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return sorted(set(re.findall(r"(?<=[\[ |])--?[a-z][a-z-]*(?=[ \]])", f"{parser.format_usage()} [--help]")))


def _fish(option: str) -> str:
    return f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
