"""All results of a folder in a browser: `surgetank view`.

`entries` says what lies in a folder, `pages` draws the list, reports and comparisons, and `server`
serves them on the loopback interface, read only.
"""

from surgetank.view.entries import Entry, entries_in
from surgetank.view.server import serve

__all__ = ["Entry", "entries_in", "serve"]
