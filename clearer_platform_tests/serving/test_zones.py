"""Zones as readers type them."""

import pytest

from clearer_platform.serving.zones import UnknownZone, checked_zone


@pytest.mark.parametrize("name", ["Asia/Ho_Chi_Minh", "UTC", "America/New_York"])
def test_known(name):
    assert checked_zone(name) == name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Asia/Ho_Chi_Min", "Asia/Ho_Chi_Minh"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Europe/Berlln", "Europe/Berlin"),
    ],
)
def test_a_misspelt_zone_is_answered_with_what_was_meant(name, meant):
    with pytest.raises(UnknownZone, match="unknown timezone") as e:
        checked_zone(name)
    assert meant in e.value.hint


@pytest.mark.parametrize("name", ["", "Mars/Olympus_Mons_Base", "../../etc/passwd", "UTC'; DROP TABLE x --"])
def test_nonsense_is_an_error_of_its_own(name):
    with pytest.raises(UnknownZone):
        checked_zone(name)
