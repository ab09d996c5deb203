"""Entry point of the command: what it imports takes most of a second, and Ctrl-C may come then."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command line."""
    try:
        from surgetank.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        from surgetank.errors import EXIT_STOPPED

        sys.stderr.write("Stopped.\n")
        sys.exit(EXIT_STOPPED)


if __name__ == "__main__":
    main()
