"""Clients as published take an emulated venue for the real one: every step of a whole session passes."""

import pytest

from tests.testbed.clients.runner import find_clients, run_client

FEWEST_STEPS = 15


def test_the_clients_are_found() -> None:
    known = {
        ("alpaca", "alpaca_py"),
        ("alpaca", "ccxt_alpaca"),
        ("binance", "python_binance"),
        ("binance", "sdk_spot"),
        ("binance", "ccxt_binance"),
        ("ibkr", "ibind_client"),
    }
    assert known <= set(find_clients())


@pytest.mark.parametrize(("venue", "name"), find_clients(), ids=[name for _, name in find_clients()])
async def test_a_client_completes_a_session(venue: str, name: str) -> None:
    report = await run_client(venue, name)
    failed = {step["name"]: step["text"] for step in report["steps"] if not step["ok"]}
    assert failed == {}
    assert report["tried"] == report["passed"] >= FEWEST_STEPS
    assert report["books"]["positions"] == {s: q for s, q in report["books"]["filled"].items() if q}
