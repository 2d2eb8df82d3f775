"""Keys, addresses, paper and live, the session ccxt gets, and ccxt that is not there."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from tests.brokers.pool.wires import http_server
from workbench.brokers import binanceus, capabilities_of, open_broker
from workbench.brokers import ccxt as ccxt_bridge
from workbench.brokers.ccxt import library as library_module
from workbench.brokers.ccxt.config import plan_of
from workbench.brokers.ccxt.door import Door
from workbench.brokers.ccxt.library import library, shown
from workbench.brokers.ccxt.opening import open_client, pool_of
from workbench.brokers.pool.sessions import open_session
from workbench.config import BrokerSettings, load_settings
from workbench.errors import (
    BadInput,
    BadValue,
    OutcomeUnknown,
    Refused,
    UnknownName,
    UnsafeVenue,
    VenueGarbled,
)

KEYS = {"MINE_KEY": "PKABCDEF", "MINE_SECRET": "not-a-real-secret"}


async def opened(exchange: str, **settings: Any) -> Any:
    """The client of an account, closed again: what it would speak to."""
    account = BrokerSettings(venue="ccxt", credentials="env:MINE", options={"exchange": exchange}, **settings)
    plan = plan_of(account)
    pool = pool_of(account, plan, "mine")
    pool.open()
    try:
        client = open_client(pool, account, plan, Path(), settings.pop("environ", KEYS))
        await client.close()
        return client
    finally:
        await pool.close()


async def test_paper_is_the_exchanges_own_test_environment() -> None:
    client = await opened("binance")
    assert client.exchange.urls["api"]["private"].startswith("https://testnet.binance.vision")
    with pytest.raises(Refused, match=r"knows no test environment of 'kraken'.*market\.paper"):
        await opened("kraken")
    live = await opened("kraken", mode="live", account="main")
    assert live.exchange.urls["api"]["private"] == "https://api.kraken.com"


async def test_where_ccxt_has_an_address_wrong_it_is_put_right() -> None:
    """It would log in to another company's account events."""
    client = await opened("binanceus", mode="live", account="main")
    assert client.exchange.urls["api"]["ws"]["ws-api"]["spot"] == "wss://ws-api.binance.us:443/ws-api/v3"
    # when a later ccxt has it right, the line in config.ADDRESSES can go
    assert shown("binanceus").urls["api"]["ws"]["ws-api"]["spot"].startswith("wss://ws-api.binance.com")


async def test_a_preset_names_its_exchange_and_accounts_leave_it_out() -> None:
    broker = open_broker("binanceus", load_settings())
    assert broker.name == "binanceus"
    assert "fok" in capabilities_of(broker)
    mine = {"venue": "binanceus", "options": {"exchange": "kraken"}}
    with pytest.raises(BadValue, match="leave it out: the venue is one exchange"):
        open_broker("binanceus", load_settings(brokers={"mine": mine}), account="mine")
    with pytest.raises(Refused, match="is at 'binanceus', not at 'ccxt'"):
        open_broker("ccxt", load_settings(brokers={"mine": mine}), account="mine")


async def test_addresses_are_named_as_ccxt_names_them_and_shut_all_others_out() -> None:
    client = await opened(
        "alpaca", addresses={"trader": "http://127.0.0.1:9", "ws.trading": "ws://127.0.0.1:9/s"}
    )
    exchange = client.exchange
    assert exchange.urls["api"]["trader"] == "http://127.0.0.1:9"
    assert exchange.urls["api"]["ws"]["trading"] == "ws://127.0.0.1:9/s"
    assert client.usual("http://127.0.0.1:9/v2/orders") == "https://api.alpaca.markets/v2/orders"
    refused: list[tuple[dict[str, str], type[Exception], str]] = [
        ({"tradr": "http://127.0.0.1:9"}, UnknownName, "did you mean 'trader'"),
        ({"trader": "http://elsewhere.example"}, UnsafeVenue, "not encrypted"),
        ({"trader": "https://api.alpaca.markets"}, Refused, "is the live one and mode is paper"),
        ({"trader": "nonsense"}, BadValue, "address"),
    ]
    for addresses, kind, text in refused:
        with pytest.raises(kind, match=text):
            await opened("alpaca", addresses=addresses)


async def test_what_an_exchange_wants_beside_key_and_secret_is_asked_for_by_name() -> None:
    wanting = next(name for name in ("okx", "kucoin") if shown(name).requiredCredentials["password"])
    with pytest.raises(BadInput, match="wants 'password' beside key and secret"):
        await opened(wanting, mode="live", account="main")


async def test_keys_are_shown_by_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with http_server(_answer) as root:
        account = BrokerSettings(
            venue="ccxt",
            credentials="env:MINE",
            options={"exchange": "alpaca"},
            addresses={"trader": str(root).rstrip("/")},
        )
        plan = plan_of(account)
        pool = pool_of(account, plan, "mine")
        pool.open()
        client = open_client(pool, account, plan, Path(), KEYS)
        answer = await client.ask("look", lambda: client.exchange.traderPrivateGetV2Clock(), tries=1)
        assert answer == {"path": "/v2/clock"}
        await client.close()
        await pool.close()
    assert "not-a-real-secret" not in caplog.text + repr(client) + repr(pool.snapshot())
    assert "PKABCDEF" not in caplog.text


def test_without_an_exchange_nothing_is_claimed_and_without_ccxt_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert open_broker("ccxt", load_settings()).capabilities == frozenset()  # type: ignore[attr-defined]
    library.cache_clear()
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)
    try:
        with pytest.raises(Refused, match=r"needs the extra 'ccxt': `pip install -e '\.\[ccxt\]'`"):
            library_module.library()
    finally:
        monkeypatch.undo()
        library.cache_clear()


async def test_without_ccxt_an_account_says_in_one_line_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kraken = {"venue": "ccxt", "options": {"exchange": "kraken"}}
    settings = load_settings(brokers={"mine": kraken})
    for cached in (library, library_module.shown, library_module._class_of):
        cached.cache_clear()
    monkeypatch.setitem(sys.modules, "ccxt", None)
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)
    try:
        for ask in (ccxt_bridge.open_broker, ccxt_bridge.open_feed, binanceus.open_broker):
            with pytest.raises(Refused, match=r"pip install -e '\.\[ccxt\]'") as caught:
                ask(settings)
            assert "\n" not in str(caught.value)
        with pytest.raises(Refused, match="needs the extra 'ccxt'"):
            await ccxt_bridge.find_instruments(settings, "mine", ["BTC/USD"])
        with pytest.raises(Refused, match="needs the extra 'ccxt'"):
            library_module.exchanges()
    finally:
        monkeypatch.undo()
        library.cache_clear()


def test_importing_the_bridge_does_not_load_ccxt() -> None:
    import subprocess

    code = (
        "import sys; from workbench.brokers.ccxt import open_broker; from workbench.config import load_settings;"
        "open_broker(load_settings()); assert 'ccxt' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -- the door ------------------------------------------------------------------------------------------------------
async def _answer(request: web.Request) -> web.StreamResponse:
    if request.path == "/away":
        raise web.HTTPTemporaryRedirect("https://elsewhere.example/steal?key=1")
    if request.path == "/huge":
        return web.Response(body=b"x" * 200_000)
    return web.json_response({"path": request.path})


async def test_the_door_lets_nothing_through_that_is_not_the_accounts() -> None:
    async with http_server(_answer) as root:
        session = open_session()
        door = Door("venue", session, cap=100_000)
        with pytest.raises(UnsafeVenue, match="none of the account's addresses"):
            async with door.get(root / "here"):
                raise AssertionError("unreachable")
        door.origins = frozenset({root.origin()})
        async with door.get(root / "here", proxy=None) as answer:
            assert await answer.text(errors="replace") == '{"path": "/here"}'
            assert answer.status == 200
        with pytest.raises(UnsafeVenue, match=r"redirects to 'https://elsewhere\.example'"):
            async with door.get(root / "away"):
                raise AssertionError("unreachable")
        with pytest.raises(OutcomeUnknown, match="redirects an order"):
            async with door.post(root / "away"):
                raise AssertionError("unreachable")
        with pytest.raises(VenueGarbled, match="larger than"):
            async with door.get(root / "huge"):
                raise AssertionError("unreachable")
        for address in ("http://elsewhere.example/", "https://elsewhere.example/"):
            with pytest.raises(UnsafeVenue, match="nothing was sent"):
                async with door.delete(URL(address)):
                    raise AssertionError("unreachable")
        with pytest.raises(UnsafeVenue, match="not encrypted"):
            door.ws_connect("ws://elsewhere.example/")
        await session.close()
        assert door.closed
