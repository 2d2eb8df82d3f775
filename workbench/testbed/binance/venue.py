"""Binance Spot, put together: keys, limits, balances, routes, streams, addresses.

Lives here: the parts and how they know each other. Not here: what each does.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from workbench.errors import BadValue
from workbench.model.orders import LIMIT
from workbench.testbed.binance.account_methods import AccountMethods
from workbench.testbed.binance.allowances import Allowances, Figures
from workbench.testbed.binance.balances import Balances
from workbench.testbed.binance.changes import Changes
from workbench.testbed.binance.filters import filters_of
from workbench.testbed.binance.list_methods import ListMethods
from workbench.testbed.binance.lists import Lists
from workbench.testbed.binance.market_methods import MarketMethods
from workbench.testbed.binance.methods import table
from workbench.testbed.binance.orders import Orders
from workbench.testbed.binance.refusals import fault_answer
from workbench.testbed.binance.rest import Rest
from workbench.testbed.binance.rule_methods import RuleMethods
from workbench.testbed.binance.signing import ApiKey, Keyring, seeded_ed25519
from workbench.testbed.binance.streams import MarketStreams
from workbench.testbed.binance.tickets import Rules
from workbench.testbed.binance.triggers import Triggers
from workbench.testbed.binance.user_stream import UserStream
from workbench.testbed.binance.wallet_methods import WalletMethods
from workbench.testbed.binance.wallet_table import wallet_table
from workbench.testbed.binance.ws_api import WsApi
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.emulator import new_secret
from workbench.testbed.exchange import Exchange
from workbench.testbed.orders import OrderEvent
from workbench.testbed.venue import EmulatorSettings, Socket, check_options

__all__ = ["OPTIONS", "BinanceVenue"]

OPTIONS: Final = ("fee-asset", "weight-1m", "orders-10s", "orders-1d")
_KEY: Final = 64


class BinanceVenue:
    """One spot account at Binance. Options: `fee-asset` (received, quote, BNB), `weight-1m`, `orders-10s`,
    `orders-1d`."""

    name = "binance"

    def __init__(self, exchange: Exchange, settings: EmulatorSettings) -> None:
        check_options(self.name, settings.options, OPTIONS)
        options, seed = settings.options, settings.seed
        self.exchange = exchange
        exchange.walks = True
        exchange.thrown_out = "expired"  # an order it has told of does not go without a word
        exchange.sinks.append(_dress)
        self.key, self.secret = new_secret(_KEY, seed), new_secret(_KEY, seed + 1)
        self.ed25519_key = new_secret(_KEY, seed + 3)
        self.ed25519_private_key, public = seeded_ed25519(seed)
        self.account = str(int(new_secret(6, seed + 2), 36))
        self.keys = Keyring([ApiKey(self.key, secret=self.secret), ApiKey(self.ed25519_key, public=public)])
        usual = Figures()
        figures = Figures(
            _whole(options, "weight-1m", usual.weight_1m),
            _whole(options, "orders-10s", usual.orders_10s),
            _whole(options, "orders-1d", usual.orders_1d),
        )
        self.allowances = Allowances(exchange.clock, figures, lifted=not settings.limits)
        boards = exchange.market.boards
        filters = {iid: filters_of(board.listing.asset) for iid, board in boards.items()}
        self.rules = Rules(exchange, filters)
        self.rules.lifted = not settings.limits
        self.balances = Balances(exchange, settings.fee_rate, options.get("fee-asset", "received"))
        triggers = Triggers(exchange)
        self.user = UserStream(self.balances)
        self.lists = Lists(self.balances, triggers)
        self.lists.sinks.append(self.user.listed)
        self.lists.placed.append(self.user.placed)
        orders = Orders(self.rules, self.balances, self.allowances)
        account = AccountMethods(orders, int(self.account))
        self.methods = table(
            MarketMethods(self.rules, self.allowances),
            RuleMethods(self.rules),
            orders,
            Changes(orders),
            ListMethods(orders, self.lists),
            account,
        ) + wallet_table(WalletMethods(account))
        self._rest = Rest(exchange, self.methods, self.keys, self.allowances)
        self.ws_api = WsApi(exchange, self.methods, self.keys, self.allowances, self.user)
        self.streams = MarketStreams(exchange)
        self.streams.limited = settings.limits
        self._registered = 0
        self._seed = seed

    def routes(self) -> Iterable[Route]:
        return self._rest.routes()

    def sockets(self) -> Iterable[Socket]:
        yield Socket("/ws-api/v3", "ws_api", self.ws_api.serve)
        yield Socket("/stream", "market", self.streams.serve_combined)
        yield Socket("/ws", "market", self.streams.serve_raw)
        yield Socket("/ws/{name}", "market", self.streams.serve_raw)

    def guard(self, call: Call) -> Answer | None:
        """Limits and keys stand in each method's way: what a request weighs depends on its parameters."""
        return None

    def refuse(self, status: int, text: str) -> Answer:
        return fault_answer(status, text)

    def addresses(self, root: str) -> dict[str, str]:
        ws_root = root.replace("http", "ws", 1)
        return {
            "rest": root,
            "ws": ws_root,
            "ws_api": f"{ws_root}/ws-api/v3",
            "ed25519_key": self.ed25519_key,
            "ed25519_private_key": self.ed25519_private_key,
        }

    def lift_limits(self, lifted: bool) -> None:
        self.allowances.lift(lifted)
        self.rules.lifted = lifted
        self.streams.limited = not lifted

    def nightly_reset(self) -> None:
        """Connections live for a day: each is told before it ends."""
        for session in self.ws_api.sessions:
            self.ws_api.farewell(session)
        self.streams.farewell()

    def console_calls(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """What the console can do here beside the usual."""
        return {
            "keys": lambda said: self.register(said["public_key"]),
            "revoke": lambda said: self.keys.revoke(said["key"]),
            "transfer": lambda said: self.transfer(said["asset"], said["amount"]),
        }

    def register(self, public_key: str) -> str:
        """Take an RSA or Ed25519 public key (PEM) in, as the venue's website does; returns its API key."""
        self._registered += 1
        name = new_secret(_KEY, self._seed + 1_000 + self._registered)
        self.keys.register(name, public_key)
        return name

    def transfer(self, asset: str, amount: float) -> None:
        """Something comes into the account, or leaves it: the account's stream tells."""
        self.balances.transfer(asset, amount)
        self.user.moved(asset, round(amount * 100_000_000))


def _whole(options: dict[str, str], name: str, usual: int) -> int:
    given = options.get(name, str(usual))
    if not given.isdigit() or not int(given):
        raise BadValue(f"binance option {name}", given, "give a whole number above 0")
    return int(given)


def _dress(event: OrderEvent) -> None:
    """An order placed by hand has none of the venue's own words: give it the usual ones."""
    order = event.order
    if "type" not in order.extra:
        order.extra |= {
            "type": "LIMIT" if order.kind == LIMIT else "MARKET",
            "tif": "GTC",
            "client_id": order.client_id,
            "quote_e8": 0,
            "stp": "EXPIRE_MAKER",
        }
