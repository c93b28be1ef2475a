"""What the command can end with besides success."""

from __future__ import annotations

EXIT_FAILURE = 255  # OpenNebula's command exits with -1


class OnedbError(Exception):
    """The command cannot go on; the text is what the user reads, ``code`` the exit code."""

    def __init__(self, text: str, code: int = EXIT_FAILURE) -> None:
        super().__init__(text)
        self.code = code
