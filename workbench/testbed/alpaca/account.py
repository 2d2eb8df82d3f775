"""Alpaca's account routes: the account and its settings; assets.

Lives here: what there is to know besides orders and positions. Not here: activities (activities.py), clock and calendar
(sessions.py).
"""

from typing import Any

from workbench.testbed.alpaca.bodies import asset_body
from workbench.testbed.alpaca.orders import json_object
from workbench.testbed.alpaca.refusals import malformed, not_found
from workbench.testbed.alpaca.rules import MULTIPLIER, figures_of
from workbench.testbed.alpaca.tickets import board_of
from workbench.testbed.alpaca.words import asset_id, rfc3339, text
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange

__all__ = ["Account"]


class Account:
    """The account routes over one exchange."""

    def __init__(self, exchange: Exchange, account_id: str, number: str) -> None:
        self.exchange = exchange
        self.account_id, self.number = account_id, number
        self._opened_ns = exchange.clock.now_ns()
        self._start_e8 = exchange.cash_e8
        self._settings: dict[str, Any] = {
            "disable_overnight_trading": False,
            "dtbp_check": "entry",
            "fractional_trading": True,
            "max_margin_multiplier": "4",
            "max_options_trading_level": None,
            "no_shorting": False,
            "pdt_check": "entry",
            "ptp_no_exception_entry": False,
            "suspend_trade": False,
            "trade_confirm_email": "all",
        }

    @property
    def suspended(self) -> bool:
        """Whether the user has switched new orders off."""
        return bool(self._settings["suspend_trade"])

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/account", self.account),
            Route("GET", "/v2/account/configurations", self.settings),
            Route("PATCH", "/v2/account/configurations", self.change_settings),
            Route("GET", "/v2/account/portfolio/history", self.history),
            Route("GET", "/v2/assets", self.assets),
            Route("GET", "/v2/assets/{symbol}", self.asset),
        ]

    def account(self, call: Call) -> Answer:
        figures = figures_of(self.exchange)
        margin = (figures.long_value - figures.short_value) // 2
        return Answer(
            {
                "id": self.account_id,
                "admin_configurations": {},
                "user_configurations": None,
                "account_number": self.number,
                "status": "ACTIVE",
                "crypto_status": "ACTIVE",
                "currency": "USD",
                "buying_power": text(figures.buying_power),
                "regt_buying_power": text(figures.buying_power),
                "daytrading_buying_power": "0",
                "effective_buying_power": text(figures.buying_power),
                "non_marginable_buying_power": text(figures.cash_power),
                "options_buying_power": text(figures.cash_power),
                "options_approved_level": 0,
                "options_trading_level": 0,
                "bod_dtbp": "0",
                "cash": text(figures.cash),
                "accrued_fees": "0",
                "pending_transfer_in": "0",
                "pending_transfer_out": "0",
                "portfolio_value": text(figures.equity),
                "pattern_day_trader": False,
                "trading_blocked": False,
                "transfers_blocked": False,
                "account_blocked": False,
                "created_at": rfc3339(self._opened_ns),
                "trade_suspended_by_user": self.suspended,
                "multiplier": str(MULTIPLIER),
                "shorting_enabled": not self._settings["no_shorting"],
                "equity": text(figures.equity),
                "last_equity": text(self._start_e8),
                "long_market_value": text(figures.long_value),
                "short_market_value": text(figures.short_value),
                "position_market_value": text(figures.long_value - figures.short_value),
                "initial_margin": text(margin),
                "maintenance_margin": text(margin * 3 // 5),
                "last_maintenance_margin": "0",
                "sma": text(self._start_e8),
                "daytrade_count": 0,
                "balance_asof": rfc3339(self._opened_ns)[:10],
                "crypto_tier": 1,
                "intraday_adjustments": "0",
                "pending_reg_taf_fees": "0",
            }
        )

    def settings(self, call: Call) -> Answer:
        return Answer(self._settings)

    def change_settings(self, call: Call) -> Answer:
        said = json_object(call.body)
        for name, value in said.items():
            if name not in self._settings:
                raise malformed(f"unknown field: {name}")
            self._settings[name] = value
        return Answer(self._settings)

    def history(self, call: Call) -> Answer:
        """The account's value: at the start, and now."""
        figures = figures_of(self.exchange)
        profit = (figures.equity - self._start_e8) / 1e8
        base = self._start_e8 / 1e8
        return Answer(
            {
                "timestamp": [self._opened_ns // 10**9, self.exchange.clock.shown_ns() // 10**9],
                "equity": [base, figures.equity / 1e8],
                "profit_loss": [0.0, profit],
                "profit_loss_pct": [0.0, profit / base if base else None],
                "base_value": base,
                "base_value_asof": rfc3339(self._opened_ns)[:10],
                "timeframe": call.query.get("timeframe", "1D"),
            }
        )

    def assets(self, call: Call) -> Answer:
        query = call.query
        bodies = [asset_body(board.listing) for board in self.exchange.market.boards.values()]
        if query.get("status") == "inactive":
            bodies = []
        for field, name in (("asset_class", "class"), ("exchange", "exchange")):
            if query.get(field):
                bodies = [body for body in bodies if body[name] == query[field]]
        return Answer(bodies)

    def asset(self, call: Call) -> Answer:
        symbol = call.path["symbol"]
        for board in self.exchange.market.boards.values():
            if asset_id(board.listing.symbol) == symbol:
                return Answer(asset_body(board.listing))
        found = board_of(self.exchange, symbol)
        if found is None:
            raise not_found(f"asset not found for {symbol}")
        return Answer(asset_body(found.listing))
