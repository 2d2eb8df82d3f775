"""The part of Binance's wallet (/sapi) that trading clients ask before they begin: state, rights, coins, fees.

Lives here: those answers. Not here: their paths (wallet_table.py); the account itself (account_methods.py).
"""

from typing import Any

from workbench.testbed.binance.account_methods import AccountMethods
from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.refusals import Refusal

__all__ = ["WalletMethods"]

_NOTHING = "0.00000000"
_LEGAL = frozenset({"USD", "EUR", "GBP", "TRY", "BRL"})


class WalletMethods:
    """The wallet of the account: everything in it is for spot trading."""

    def __init__(self, account: AccountMethods) -> None:
        self.orders, self.balances, self.exchange = account.orders, account.balances, account.exchange

    def system(self, asked: Asked) -> Any:
        """Whether the wallet is at work."""
        return {"status": 0, "msg": "normal"}

    def account(self, asked: Asked) -> Any:
        """How the account stands."""
        return {"data": "Normal"}

    def trading(self, asked: Asked) -> Any:
        """Whether trading by API is locked."""
        conditions = {"GCR": 150, "IFER": 150, "UFR": 300}
        return {
            "data": {
                "isLocked": False,
                "plannedRecoverTime": 0,
                "triggerCondition": conditions,
                "updateTime": asked.time(self.exchange.clock.shown_ns()),
            }
        }

    def rights(self, asked: Asked) -> Any:
        """What the key may do: read and trade spot."""
        refused = (
            "ipRestrict", "enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer",
            "enableVanillaOptions", "enableFixApiTrade", "enableFixReadOnly", "enableFutures", "enableMargin",
            "enablePortfolioMarginTrading",
        )  # fmt: skip
        return {
            **dict.fromkeys(refused, False),
            "enableReading": True,
            "enableSpotAndMarginTrading": True,
            "createTime": asked.time(self.exchange.clock.shown_ns()),
        }

    def coins(self, asked: Asked) -> Any:
        """Every asset; none can be sent anywhere."""
        return [
            {
                "coin": asset,
                "name": asset,
                **{name: self.balances.row(asset)[name] for name in ("free", "locked")},
                **dict.fromkeys(("freeze", "ipoable", "ipoing", "storage", "withdrawing"), _NOTHING),
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "isLegalMoney": asset in _LEGAL,
                "trading": True,
                "networkList": [],
            }
            for asset in self.balances.assets
        ]

    def assets(self, asked: Asked) -> Any:
        """What there is of each asset."""
        wanted = asked.params.get("asset")
        rows = [self.balances.row(asset) for asset in self.balances.assets if wanted in (None, asset)]
        more = dict.fromkeys(("freeze", "withdrawing", "ipoable", "btcValuation"), _NOTHING)
        return [{**row, **more} for row in rows if (row["free"], row["locked"]) != (_NOTHING, _NOTHING)]

    def fees(self, asked: Asked) -> Any:
        """What trading costs, by symbol."""
        rates = self.orders.commission_rates()
        boards = self.orders.rules.boards([asked.symbol()] if asked.has("symbol") else None)
        return [
            {
                "symbol": board.listing.symbol,
                "makerCommission": rates["maker"],
                "takerCommission": rates["taker"],
            }
            for board in boards
        ]

    def standing(self, asked: Asked) -> Any:
        """What kind of account it is."""
        others = ("isMarginEnabled", "isFutureEnabled", "isOptionsEnabled", "isPortfolioMarginRetailEnabled")
        return {"vipLevel": 0, **dict.fromkeys(others, False)}

    def details(self, asked: Asked) -> Any:
        """How each asset can come and go: it cannot."""
        wanted = asked.params.get("asset")
        return {
            asset: {
                "minWithdrawAmount": _NOTHING,
                "depositStatus": False,
                "withdrawFee": _NOTHING,
                "withdrawStatus": False,
            }
            for asset in self.balances.assets
            if wanted in (None, asset)
        }

    def pays_in_bnb(self, asked: Asked) -> Any:
        """Whether fees are paid in BNB."""
        return {"spotBNBBurn": self.orders.discount()["enabledForAccount"], "interestBNBBurn": False}

    def snapshots(self, asked: Asked) -> Any:
        """How the account stood on the days before: it began today."""
        kinds = ("SPOT", "MARGIN", "FUTURES")
        asked.need("type")
        asked.one_of("type", kinds, "", Refusal(-1130, "Data sent for parameter 'type' is not valid."))
        return {"code": 200, "msg": "", "snapshotVos": []}

    def no_rows(self, asked: Asked) -> Any:
        """Movements that are counted and that there are none of."""
        return {"total": 0, "rows": []}

    def no_dust(self, asked: Asked) -> Any:
        """Small amounts turned into BNB: none."""
        return {"total": 0, "userAssetDribblets": []}

    def none(self, asked: Asked) -> Any:
        """What this account has none of."""
        return []
