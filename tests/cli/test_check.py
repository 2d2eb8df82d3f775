"""`workbench check STRATEGY`: exit status 0, 1 and 2, for people and for machines."""

import json
from pathlib import Path

from tests.cli.conftest import Cli

PEEKS = """
from workbench.strategy import Signal, Strategy

class Peeks(Strategy):
    seen = {}
    step: int = 60

    def on_bar(self, ctx, bar):
        self.seen[bar.ts_ns] = bar.close
        return Signal(1.0 if self.seen.get(bar.ts_ns + self.step * 1_000_000_000, 0.0) > bar.close else 0.0)
"""


def test_an_honest_strategy_passes(cli: Cli) -> None:
    code, out, err = cli("check", "RsiReversion", "--set", "period=10", "--json")
    told = json.loads(out)
    assert (code, err, told["ok"]) == (0, "", True)
    assert told["strategy"] == "RsiReversion(period=10, low=30.0, high=70.0, short=False)"
    assert {"name", "ok", "text"} == set(told["checks"][0])
    assert any(row["name"] == "other futures change nothing before them" for row in told["checks"])


def test_a_peeking_one_does_not(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "peeks.py"
    path.write_text(PEEKS)
    code, out, err = cli("check", f"{path}:Peeks", "--data", "SPY")
    assert (code, err) == (1, "")
    assert "NO" in out
    assert "Peeks(step=60)" in out


def test_what_is_mistyped_is_told(cli: Cli) -> None:
    code, out, err = cli("check", "RsiReversal")
    assert (code, out) == (2, "")
    assert "did you mean 'RsiReversion'" in err
    assert cli("check", "RsiReversion", "--data", "SPZ")[0] == 2
    code, out, err = cli("check", "--data", "SPY")
    assert (code, out) == (2, "")
    assert "go with a strategy" in err
