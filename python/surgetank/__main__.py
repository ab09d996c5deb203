"""Entry point of the command: what it imports takes most of a second, and Ctrl-C may come then."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command line."""
    from surgetank.errors import EXIT_BROKE, EXIT_STOPPED

    try:
        try:
            from surgetank.cli import main as command_line
        except Exception as error:
            # Python would end with 1, the exit code of FAIL.
            what = f"error: surgetank cannot be started ({type(error).__name__}: {error})."
            sys.stderr.write(f"{what} Install it again: `pip install .` in its checkout\n")
            sys.exit(EXIT_BROKE)
        command_line()
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        sys.exit(EXIT_STOPPED)


if __name__ == "__main__":
    main()
