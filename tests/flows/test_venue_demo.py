"""`workbench demo --broker all --headless`: every emulated venue at once, as processes, with a verdict."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.brokers import find_brokers
from workbench.cli.venue_demo import _dealt, chosen_venues
from workbench.errors import UnknownName
from workbench.testbed import find_venues
from workbench.testbed.venue import venue_package


@pytest.mark.slow
def test_the_demo_trades_at_every_venue_and_all_books_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workbench.cli", "demo", "--headless", "--broker", "all"]
    command += ["--strategies", "12", "--seconds", "4"]
    done = subprocess.run(
        command,
        env={**os.environ, "WORKBENCH_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    verdict = json.loads(done.stdout.splitlines()[-1])
    assert verdict["errors"] == []
    assert verdict["venues"] == chosen_venues(["all"])
    truths = [name for name, value in verdict.items() if isinstance(value, bool)]
    assert len(truths) >= 6
    assert all(verdict[name] for name in truths), verdict
    keys = [path for path in (tmp_path / "secrets").iterdir() if path.name.startswith("demo-")]
    assert len(keys) == len(chosen_venues(["all"]))
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}


def test_every_symbol_is_traded_at_one_venue() -> None:
    venues = chosen_venues(["all"])
    dealt = _dealt(venues)
    flat = [symbol for symbols in dealt.values() for symbol in symbols]
    assert len(flat) == len(set(flat))
    assert set(flat) == {symbol for venue in venues for symbol in venue_package(venue).SYMBOLS}
    assert all(dealt.values())


def test_a_misspelt_venue_is_answered_with_the_nearest() -> None:
    assert chosen_venues(["all"]) == [name for name in find_venues() if name in find_brokers()]
    with pytest.raises(UnknownName, match="did you mean 'alpaca'"):
        chosen_venues(["alpca"])
