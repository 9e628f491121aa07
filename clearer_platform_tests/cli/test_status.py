"""`clearer status`: where every region's days stand."""

from datetime import date

from clearer_platform_tests.cli.conftest import grid


def test_status_grid(cli):
    states = grid(cli)
    assert states["eu", "customers", "2024-03-30"] == "rejected"
    assert states["eu", "products", "2024-03-30"] == "published"
    assert states["eu", "products", "2024-03-31"] == "not due"
    assert states["us", "transactions", "2024-03-30"] == "published"
    assert states["us", "transactions", "2024-03-31"] == "refused"
    assert grid(cli, "--from", "2024-04-01", "--to", "2024-04-01", "-t", "transactions") == {
        ("eu", "transactions", "2024-04-01"): "late",
        ("us", "transactions", "2024-04-01"): "late",
    }


def test_status_on_the_screen(cli):
    shown = cli("status").stdout
    assert [line.split() for line in shown.splitlines()[1:4]] == [["30", "31"], ["eu", "◉", "◉"], ["us", "●", "✗"]]
    assert "the newest delivery was refused as a whole" in shown
    one = cli("status", "--region", "us").stdout
    assert [line.split() for line in one.splitlines() if line.startswith("us")] == [
        ["us", "customers", "●", "·"],
        ["us", "products", "●", "·"],
        ["us", "transactions", "●", "✗"],
        ["us", "conversations", "●", "·"],
    ]


def test_a_long_status_is_as_wide_as_the_terminal(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    shown = cli("status", "--from", "2024-03-30", "--to", "2024-06-30").stdout
    assert max(len(line) for line in shown.splitlines() if line.startswith(("eu", "us"))) <= 60
    days = sum(len(line.split()) - 1 for line in shown.splitlines() if line.startswith("eu"))
    assert days == (date(2024, 6, 30) - date(2024, 3, 30)).days + 1
