"""Writes what shells and manuals need to know of the commands: python -m services.cli.generate FOLDER

FOLDER gets share/man/man1/<command>.1, share/bash-completion/completions/<command>,
share/zsh/site-functions/_onebox and share/fish/vendor_completions.d/<command>.fish. Run where the product is
installed (FOLDER /usr/local): nothing of it is kept in the source, since all of it is in the declarations.
"""

from __future__ import annotations

import sys
from pathlib import Path

from services.cli import completion, main, manpages
from services.cli.decl import Command

_BASH = """# {name}: completion, asked of the command itself
_{function}() {{
    local IFS=$'\\n' current="${{COMP_WORDS[COMP_CWORD]}}" answer words=()
    local line=("${{COMP_WORDS[@]:1:COMP_CWORD}}")
    for answer in $({name} {ask} "${{line[@]}}" 2>/dev/null); do
        words+=("${{answer%%$'\\t'*}}")
    done
    if [[ "${{words[0]}}" == {files} ]]; then
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$current"))
    else
        COMPREPLY=("${{words[@]}}")
    fi
}}
complete -F _{function} {name}
"""
_ZSH = """#compdef {names}
# completion, asked of the command itself
_onebox() {{
    local answer
    local -a rows
    for answer in ${{(f)"$($words[1] {ask} "${{(@)words[2,CURRENT]}}" 2>/dev/null)"}}; do
        if [[ ${{answer%%$'\\t'*}} == {files} ]]; then
            _files
            return
        fi
        rows+=("${{${{answer%%$'\\t'*}}//:/\\\\:}}:${{answer#*$'\\t'}}")
    done
    _describe 'answers' rows
}}
_onebox "$@"
"""
_FISH = """# {name}: completion, asked of the command itself
function __{function}_complete
    set -l line (commandline -opc) (commandline -ct)
    for answer in ({name} {ask} $line[2..-1] 2>/dev/null)
        if string match -q '{files}*' -- $answer
            __fish_complete_path (commandline -ct)
        else
            echo $answer
        end
    end
end
complete -c {name} -f -a '(__{function}_complete)'
"""


def commands() -> list[Command]:
    """Every command that is declared, by name."""
    folder = Path(__file__).parent / "commands"
    found = [main.command_module(path.stem) for path in sorted(folder.glob("one*.py"))]
    return [module.COMMAND for module in found if hasattr(module, "COMMAND")]


def write(folder: Path) -> list[Path]:
    """Write all files below a folder; their paths."""
    found = commands()
    texts: dict[str, str] = {}
    for command in found:
        values = {
            "name": command.name,
            "function": command.name.replace("-", "_"),
            "ask": completion.ASK,
            "files": completion.FILES,
        }
        texts[f"share/man/man1/{command.name}.1"] = manpages.page(command)
        texts[f"share/bash-completion/completions/{command.name}"] = _BASH.format(**values)
        texts[f"share/fish/vendor_completions.d/{command.name}.fish"] = _FISH.format(**values)
    names = " ".join(command.name for command in found)
    texts["share/zsh/site-functions/_onebox"] = _ZSH.format(
        names=names, ask=completion.ASK, files=completion.FILES
    )
    paths = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m services.cli.generate FOLDER")
    sys.stdout.write(f"{len(write(Path(sys.argv[1])))} files\n")
