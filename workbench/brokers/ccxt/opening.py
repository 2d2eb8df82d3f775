"""An exchange object made ready for one account: keys, addresses, paper or live, the session it may use.

Lives here: that, and listing markets once for broker and feed. Not here: options and figures (config.py), requests
(client.py).

Addresses have ccxt's own names: `private` is `exchange.urls["api"]["private"]`, `ws.spot` is `["api"]["ws"]["spot"]`.
When one is set, only those that are set may be spoken to.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final

from yarl import URL

from workbench.brokers.ccxt.client import CcxtClient
from workbench.brokers.ccxt.config import ADDRESSES, PRESETS, UNIT, VENUE, Plan, allowances, plan_of
from workbench.brokers.ccxt.door import Door
from workbench.brokers.ccxt.library import shown
from workbench.brokers.ccxt.rules import check_able, instruments_of
from workbench.brokers.pool import Credentials, Pool, checked_address, read_credentials
from workbench.brokers.pool.pool import EVERY
from workbench.config import BrokerSettings
from workbench.errors import BadInput, Refused, UnknownName
from workbench.model.instrument import Instrument

__all__ = ["find", "markets", "open_client", "pool_of"]

_KEPT_S: Final = 600.0
_KEPT: dict[
    tuple[object, ...], tuple[float, Any]
] = {}  # by addresses: an exchange without keys, with its markets


def pool_of(settings: BrokerSettings, plan: Plan, name: str) -> Pool:
    """A pool with the exchange's allowances as ccxt has them. Limits of the settings are in ccxt's costs over ten
    seconds."""
    rate_limit_ms = float(shown(plan.exchange).rateLimit)
    limits = {
        name: limit * UNIT if name in ("requests", EVERY) else limit
        for name, limit in settings.limits.items()
    }
    return Pool(settings.venue, allowances(rate_limit_ms), name=name, mode=settings.mode, limits=limits)


def open_client(
    pool: Pool, settings: BrokerSettings, plan: Plan, secrets: Path, environ: Mapping[str, str] | None = None
) -> CcxtClient:
    """The exchange of an account, ready to be asked; nothing is sent yet.

    Raises:
        BadInput, BadValue, UnknownName, Refused: keys, addresses or the mode do not fit.
    """
    check_able(shown(plan.exchange))
    keys = read_credentials(settings.credentials, secrets, environ=environ)
    options: dict[str, Any] = {"adjustForTimeDifference": True, "defaultType": "spot"}
    options |= PRESETS.get(plan.exchange, {})
    if EVERY in settings.limits:  # no limits at all: ccxt's pace of messages on a socket goes as well
        options["ws"] = {"cost": 0}
    door = Door(plan.exchange, pool.session)
    config: dict[str, Any] = {
        **_credentials(plan.exchange, keys),
        "session": door,
        "timeout": round(plan.timeout_s * 1_000),
        "options": options,
    }
    client = CcxtClient(pool, plan, config)
    exchange = client.exchange
    if "fetchCurrencies" in PRESETS.get(plan.exchange, {}):
        exchange.has["fetchCurrencies"] = False
    try:
        origins, client.moved = _addressed(exchange, settings)
    except BaseException:
        exchange.session = None  # else ccxt complains that nobody has closed it
        raise
    door.origins = frozenset(origins)
    return client


def _credentials(exchange: str, keys: Credentials) -> dict[str, str]:
    """What ccxt wants of this exchange.

    Raises:
        BadInput: something is missing; it names what.
    """
    wanted = {name for name, needed in shown(exchange).requiredCredentials.items() if needed}
    given = {"apiKey": keys.key, "secret": keys.secret}
    for name in wanted - given.keys():
        value = keys.more(name.lower())
        if not value:
            raise BadInput(
                f"{exchange} wants '{name}' beside key and secret: add a line {name.lower()} to the secrets file"
            )
        given[name] = value
    return given


def _addressed(exchange: Any, settings: BrokerSettings) -> tuple[list[URL], list[tuple[str, str]]]:
    """Put the account's addresses in; returns the origins that may be spoken to, and what stands for which."""
    for name, address in ADDRESSES.get(exchange.id, {}).items():
        _set(exchange, name, address)
    live = dict(_flat(exchange.urls["api"], exchange))
    if settings.addresses:
        return _moved(exchange, settings, live)
    if settings.mode == "paper":
        if not exchange.urls.get("test"):
            raise Refused(
                f"ccxt knows no test environment of '{exchange.id}': mode = \"live\" trades real money there, "
                f"market.paper = true trades its data on the built-in exchange"
            )
        exchange.set_sandbox_mode(True)
    used = dict(_flat(exchange.urls["api"], exchange))
    return [checked_address(VENUE, url.partition("?")[0]).origin() for url in used.values()], []


def _moved(
    exchange: Any, settings: BrokerSettings, live: Mapping[str, str]
) -> tuple[list[URL], list[tuple[str, str]]]:
    hosts = {URL(url).host for url in live.values()}
    origins, moved = [], []
    for name, address in settings.addresses.items():
        if name not in live:
            raise UnknownName(f"{exchange.id} address", name, live)
        url = checked_address(VENUE, address)
        if settings.mode == "paper" and url.host in hosts:
            text = f"ccxt: address {name} = '{url}' is the live one and mode is paper"
            raise Refused(f"{text}: change one of them")
        origins.append(url.origin())
        moved.append((address, live[name]))
        _set(exchange, name, address)
    return origins, sorted(moved, key=lambda pair: -len(pair[0]))


def _set(exchange: Any, name: str, address: str) -> None:
    at = exchange.urls
    *path, last = ("api", *name.split(".")) if isinstance(at["api"], dict) else ("api",)
    for part in path:
        at = at[part]
    at[last] = address


def _flat(urls: Any, exchange: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(urls, str):
        yield prefix or "api", exchange.implode_hostname(urls)
    elif isinstance(urls, dict):
        for name, below in urls.items():
            yield from _flat(below, exchange, f"{prefix}.{name}" if prefix else str(name))


async def markets(client: CcxtClient, settings: BrokerSettings) -> Mapping[str, Any]:
    """Everything the exchange lists, by ccxt's symbol; asked for once in ten minutes, by broker and feed together."""
    key = (client.name, settings.mode, tuple(sorted(settings.addresses.items())))
    since_s, kept = _KEPT.get(key, (float("-inf"), None))
    exchange = client.exchange
    if kept is not None and monotonic() - since_s < _KEPT_S:
        exchange.set_markets_from_exchange(kept)
        return dict(exchange.markets)
    listed = await client.load()
    keeper = type(shown(client.name))({})
    keeper.set_markets_from_exchange(exchange)
    _KEPT[key] = (monotonic(), keeper)
    return listed


async def find(
    settings: BrokerSettings, symbols: Sequence[str], secrets: Path, environ: Mapping[str, str] | None = None
) -> list[Instrument]:
    """The instruments behind symbols as ccxt writes them, numbered from 0.

    Raises:
        UnknownName: a symbol the exchange does not list. VenueRefused: one that cannot be traded here.
    """
    plan = plan_of(settings)
    pool = pool_of(settings, plan, "instruments")
    pool.open()
    try:
        client = open_client(pool, settings, plan, secrets, environ)
        try:
            return instruments_of(client.exchange, await markets(client, settings), symbols)
        finally:
            await client.close()
    finally:
        await pool.close()
