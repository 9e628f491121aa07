"""Windows of APIs that were read before are read again in the background: one becomes a run only where it has news.

A server may take its time, or not answer at all, and a tick must not wait for it. What is remembered here may be lost
at any moment: a window that was not read to its end is still due, and a delivery that no run was asked for stands in
bronze, where the next reading of its window finds that silver has not judged it.
"""

import logging
import threading
from collections.abc import Collection, Mapping
from datetime import date

from clearer_platform import silver
from clearer_platform.platform import Platform
from clearer_platform.sources import Failure, http

LOGGER = logging.getLogger("clearer_platform.windows")


class Windows:
    """The windows being read again, one thread a region, and the days that had news."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._news: dict[str, set[date]] = {}

    def read(self, region: str, due: Mapping[str, Collection[date]]) -> None:
        """Begin to read windows of a region's tables, unless some of the region's are still being read."""
        with self._lock:
            if region in self._busy:
                return
            self._busy.add(region)
        threading.Thread(target=self._read, args=(region, due), name=f"windows of {region}", daemon=True).start()

    def news(self, leave: Collection[str]) -> dict[str, set[date]]:
        """The days to run because of what has been read, each told once; regions to `leave` are told later."""
        with self._lock:
            return {region: self._news.pop(region) for region in list(self._news) if region not in leave}

    def is_busy(self, region: str) -> bool:
        """Whether windows of a region are being read."""
        with self._lock:
            return region in self._busy

    def _read(self, region: str, due: Mapping[str, Collection[date]]) -> None:
        found: set[date] = set()
        try:
            for table, days in due.items():
                found |= self._worth_running(region, table, days)
        except Exception as e:
            LOGGER.exception("windows of %s: %s", region, e)
        finally:
            with self._lock:
                self._busy.discard(region)
                if found:
                    self._news.setdefault(region, set()).update(found)

    def _worth_running(self, region: str, table: str, days: Collection[date]) -> set[date]:
        """The days that came anew, or stand unjudged; and those that could not be read: their run will say why."""
        found: set[date] = set()
        for received in http.each(self._platform, region, table, days):
            if isinstance(received, Failure):
                found.add(received.day)
            elif received.is_new:
                found.add(received.delivery.day)
        states = silver.states(self._platform, region, table, days)
        return found | {state.slot.day for state in states if not state.is_current}
