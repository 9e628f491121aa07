"""Reading a window until what was read is certain to be what the server held at one moment.

A pass reads every page once, into a file. What came in one answer belongs together, and so do the pages of a cursor, by
the server's word. Pages by number shift when records come and go while they are read, and no single pass can tell (not
even by the stated total, where as many come as go). So two passes in a row must be the same, record for record: then
every record of it was there from the one to the other. A record that is on two pages is what a shift to and fro leaves
behind, or it is truly served twice; only a third pass, the same again, decides for the latter.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import httpx

from clearer_platform.regions import CsvFormat, HttpSource
from clearer_platform.sources.http.client import Again, Client, too_large
from clearer_platform.sources.http.pages import Page, read_page
from clearer_platform.storage import reported

NO_WAIT = 0.0


@dataclass
class Pass:
    """What one reading of all pages came to."""

    pages: int = 0
    count: int = 0
    """Records taken; one that is on several pages is taken once."""
    repeated: int = 0
    """Records left out because an earlier page had them."""
    size: int = 0
    """Bytes of the answers."""
    totals: set[int] = field(default_factory=set)
    """What the pages say of the number of records."""
    is_certain: bool = True
    """Whether each page could be seen to be whole."""
    digest: bytes = b""

    @property
    def served(self) -> int:
        """Records on all pages."""
        return self.count + self.repeated

    @property
    def adds_up(self) -> bool:
        """Whether the number of records is the stated one, if any; the server may count a repeated record or not."""
        return not self.totals or (len(self.totals) == 1 and self.totals <= {self.count, self.served})


class Reader:
    """Reads one window into the file `spool`."""

    def __init__(self, client: Client, source: HttpSource, csv: CsvFormat, url: httpx.URL, spool: Path) -> None:
        self.client, self.source, self.csv, self.url, self.spool = client, source, csv, url, spool

    def read(self) -> Pass:
        """Read passes until one is certain, which the spool then holds. Raises DeliveryError where none is."""
        same: list[Pass] = []

        def attempt() -> Pass:
            newest = self._pass()
            is_changed = bool(same) and same[-1].digest != newest.digest
            if is_changed or not newest.adds_up:
                same.clear()
            if not newest.adds_up:
                stated = " and ".join(map(str, sorted(newest.totals)))
                raise Again(f"{newest.served} records came, {stated} were stated")
            same.append(newest)
            if len(same) < self._needed(newest):
                raise Again("the records change while they are read", None if is_changed else NO_WAIT)
            return newest

        return self.client.persist(attempt, "reading it again and again", self.source.attempts + 2)

    def _needed(self, newest: Pass) -> int:
        """How many passes in a row must be the same."""
        may_shift = self.source.style == "page" and newest.pages > 1
        if may_shift:
            return 3 if newest.repeated else 2
        return 1 if newest.is_certain else 2

    def _pass(self) -> Pass:
        """Read every page once."""
        done, digest, seen = Pass(), hashlib.sha256(), set[bytes]()
        encoding = self.csv.encoding if self.source.format == "csv" else "utf-8"
        with (
            reported("write", self.spool),
            self.spool.open("w", encoding=encoding, errors="surrogateescape", newline="") as spool,
        ):
            for page in self._pages(done):
                if page.header is not None and done.pages == 0:
                    spool.write(page.header + "\n")
                digest.update(repr(page.header).encode())
                keys = [
                    hashlib.blake2b(r.encode("utf-8", "surrogatepass"), digest_size=16).digest() for r in page.records
                ]
                digest.update(b"".join(keys) + b"/")
                self._take(page, keys, seen, done, spool)
                seen.update(keys)
        done.digest = digest.digest()
        return done

    def _take(self, page: Page, keys: list[bytes], seen: set[bytes], done: Pass, spool: TextIO) -> None:
        """Write the records that no earlier page had."""
        new = [record for record, key in zip(page.records, keys, strict=True) if key not in seen]
        spool.writelines(f"{record}\n" for record in new)
        done.pages += 1
        done.count += len(new)
        done.repeated += len(keys) - len(new)
        done.is_certain &= page.is_certain
        if page.total is not None:
            done.totals.add(page.total)

    def _pages(self, done: Pass) -> Iterator[Page]:
        """Every page, in order; `done` says what has been taken of those before."""
        page, cursors = None, set[str]()
        while True:
            page = self._next(page, done, cursors)
            yield page
            if page.next is not None:
                cursors.add(page.next)
            if self._is_last(page, done):
                return

    def _is_last(self, page: Page, done: Pass) -> bool:
        match self.source.style:
            case "cursor":
                return page.next is None
            case "page":
                # A page that is merely short says nothing: servers give less than was asked for.
                return not page.records or (page.total is not None and done.served >= page.total)
            case _:
                return True

    def _next(self, before: Page | None, done: Pass, cursors: set[str]) -> Page:
        """The page after `before`. One that cannot be it is asked for again."""
        url = self._url(before, done.pages)

        def attempt() -> Page:
            answer = self.client.get(url)
            if done.size + len(answer.body) > self.source.max_bytes:
                raise too_large(self.source)
            page = read_page(answer, self.source, self.csv)
            if before and page.records and page.records == before.records:
                raise Again("the server gives the page before once more")
            if page.next in cursors:
                raise Again("the server gives a cursor a second time")
            if before and page.records and page.header != before.header:
                raise Again("the header is another than that of the page before")
            done.size += len(answer.body)
            return page

        return self.client.persist(attempt, f"page {done.pages + 1}", self.source.attempts)

    def _url(self, before: Page | None, index: int) -> httpx.URL:
        source = self.source
        params: dict[str, str | int] = {}
        if source.size and source.page_size:
            params[source.size] = source.page_size
        if source.style == "page":
            params[source.page] = source.first_page + index
        if before is not None and before.next is not None:
            params[source.cursor] = before.next
        return self.url.copy_merge_params(params)
