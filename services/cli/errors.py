"""What a command can end with besides success."""

from __future__ import annotations

from collections.abc import Iterable

EXIT_FAILURE = 255  # OpenNebula's commands exit with -1
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141  # what a shell says of a program whose reader (head) has left


class CliError(Exception):
    """A command cannot go on; the text is the one line that the user reads."""


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that the user most likely meant, or None."""
    import difflib  # here: only failing commands pay for it

    lowered = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if found:
        return lowered[found[0]]
    starting = [candidate for key, candidate in lowered.items() if key.startswith(word.lower()) and word]
    return starting[0] if starting else None


def hint(word: str, candidates: Iterable[str]) -> str:
    """`` Did you mean x?`` or nothing."""
    best = closest(word, candidates)
    return f" Did you mean {best}?" if best else ""
