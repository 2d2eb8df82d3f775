"""Recorded cases of venues hold for the adapters; where there are no recordings, the harness itself is held."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


def harness() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "venue_cases.py"
    spec = importlib.util.spec_from_file_location("venue_cases", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["venue_cases"] = module
    spec.loader.exec_module(module)
    return module


HARNESS = harness()


@pytest.mark.parametrize("venue", HARNESS.venues(), ids=lambda venue: venue.NAME)
def test_every_recorded_case_holds(venue: ModuleType) -> None:
    folder = HARNESS.cases_folder()
    if folder is None:
        pytest.skip("no recordings on this machine: they are not part of the project")
    counts = HARNESS.held(venue, folder)
    assert counts["failed"] == {}
    assert counts["tried"] > 20


ORDER = {
    "id": "q1",
    "method": "createOrder",
    "input": ["BTC/USD", "limit", "buy", "0.5", "60000"],
    "expect": {
        "http_method": "POST",
        "path": "/v2/orders",
        "query": {},
        "json_body": {
            "symbol": "BTC/USD",
            "qty": "0.5",
            "side": "buy",
            "type": "limit",
            "limit_price": "60000",
            "time_in_force": "gtc",
        },
    },
}
BAR = {
    "id": "r1",
    "method": "fetchOHLCV",
    "httpResponse": {
        "bars": {
            "BTC/USD": [{"o": 2.0, "h": 4.0, "l": 1.0, "c": 3.0, "v": 0.5, "t": "2024-07-18T05:02:00Z"}]
        },
        "next_page_token": None,
    },
    "parsedResponse": [[1721278920000, 2.0, 4.0, 1.0, 3.0, 0.5]],
}


def recordings(folder: Path, order: object, bar: object) -> Path:
    (folder / "alpaca.json").write_text(json.dumps({"cases": {"request": [order], "response": [bar]}}))
    body = {"test": "a body", "url_expr": "/v2/options/contracts", "http_method": "GET", "body": {}}
    (folder / "alpaca_py_bodies.json").write_text(json.dumps({"cases": [body]}))
    return folder


def test_the_harness_counts_what_holds(tmp_path: Path) -> None:
    [alpaca] = [venue for venue in HARNESS.venues() if venue.NAME == "alpaca"]
    counts = HARNESS.held(alpaca, recordings(tmp_path, ORDER, BAR))
    assert counts == {"tried": 2, "held": 2, "not_ours": 1, "failed": {}}


def test_the_harness_finds_what_does_not(tmp_path: Path) -> None:
    [alpaca] = [venue for venue in HARNESS.venues() if venue.NAME == "alpaca"]
    wrong_order = json.loads(
        json.dumps(ORDER).replace('"60000"}', '"60001"}').replace('"qty": "0.5"', '"qty": "0.6"')
    )
    wrong_bar = json.loads(json.dumps(BAR).replace("1721278920000", "1721278980000"))
    counts = HARNESS.held(alpaca, recordings(tmp_path, wrong_order, wrong_bar))
    assert (counts["held"], sorted(counts["failed"])) == (0, ["q1", "r1"])


def test_the_harness_finds_a_signature_that_is_not_right(tmp_path: Path) -> None:
    [binance] = [venue for venue in HARNESS.venues() if venue.NAME == "binance"]
    right = {
        "id": "s1",
        "alg": "HMAC-SHA256",
        "payload": "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
        "&timestamp=1499827319559",
        "signature": "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        "apiKey": "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",  # not-a-secret: published
        "secret": "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",  # not-a-secret: published
    }
    wrong = {**right, "id": "s2", "payload": right["payload"].replace("price=0.1", "price=0.2")}
    found = {"request": [], "response": [], "signing": [right, wrong]}
    (tmp_path / "binance.json").write_text(json.dumps({"exchangeInfo_symbols": [], "cases": found}))
    counts = HARNESS.held(binance, tmp_path)
    assert (counts["held"], sorted(counts["failed"])) == (1, ["s2"])


STOCKS = [
    {
        "name": "SANOFI",
        "assetClass": "STK",
        "contracts": [{"conid": 29612249, "exchange": "SBF", "isUS": False}],
    },
    {
        "name": "SANTANDER ADR",
        "assetClass": "STK",
        "contracts": [{"conid": 12442, "exchange": "NYSE", "isUS": True}],
    },
]
CHART = {
    "barLength": 2_678_400,
    "data": [{"c": 4.13, "h": 4.15, "l": 3.62, "o": 3.66, "t": 1_698_796_800_000, "v": 466_540.33}],
    "high": "41500/466540.33/1440",
    "low": "36200/466540.33/1440",
    "priceFactor": 10_000,
}


def gateway(folder: Path, conid: int, chart: object) -> Path:
    answers = {
        "accounts": [],
        "conids": {"SAN": conid},
        "stocks": {"SAN": STOCKS},
        "history": {"SAN": chart},
        "live_orders": [],
        "order_status": {},
    }
    (folder / "ibkr_bodies.json").write_text(json.dumps({"responses": answers}))
    return folder


def test_the_harness_holds_a_gateway_s_answers(tmp_path: Path) -> None:
    [ibkr] = [venue for venue in HARNESS.venues() if venue.NAME == "ibkr"]
    counts = HARNESS.held(ibkr, gateway(tmp_path, 12442, CHART))
    assert counts == {"tried": 2, "held": 2, "not_ours": 1, "failed": {}}
    counts = HARNESS.held(ibkr, gateway(tmp_path, 29612249, {**CHART, "high": "41600/466540.33/1440"}))
    assert (counts["held"], sorted(counts["failed"])) == (0, ["history SAN", "stocks SAN"])
