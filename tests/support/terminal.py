"""A screen that a test reads."""

import io


class Terminal(io.StringIO):
    """Takes what is written, and says that a person reads it."""

    def isatty(self) -> bool:
        """Say so."""
        return True
