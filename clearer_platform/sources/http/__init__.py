"""HTTP APIs: each business day of a table is a window, read whole and stable, and received as one delivery.

`client.py` asks for one page, `pages.py` reads it, `passes.py` reads a window until it is certain, `windows.py` knows
which are due, `fetching.py` makes deliveries of them.
"""

from clearer_platform.sources.http.fetching import collect, each, fetch, poll
from clearer_platform.sources.http.windows import due, unread, windows

__all__ = ["collect", "due", "each", "fetch", "poll", "unread", "windows"]
