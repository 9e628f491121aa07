"""What tests of alerts share."""

from collections.abc import Iterator

import pytest

from clearer_platform_tests.receiver import Receiver, listening


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A real HTTP receiver of webhooks."""
    with listening(monkeypatch) as found:
        yield found
