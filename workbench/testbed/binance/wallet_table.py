"""The part of Binance's wallet (/sapi) that there is, by its paths: weight, security, parameters, reply.

Lives here: the table. Not here: what answers (wallet_methods.py); everything else below /sapi, which is not emulated.
"""

from typing import Final

from workbench.testbed.binance.methods import NONE, SIGNED, WITH_KEY, Method
from workbench.testbed.binance.wallet_methods import WalletMethods

__all__ = ["wallet_table"]

_OF_ASSET: Final = ("asset", "needBtcValuation")
_SPAN: Final = ("startTime", "endTime", "limit")
_MOVED: Final = (*_SPAN, "coin", "status", "offset")


def wallet_table(wallet: WalletMethods) -> list[Method]:
    """The methods of the wallet; they have paths alone."""
    by_path = (
        ("GET /sapi/v1/system/status", wallet.system, 1, NONE, ()),
        ("GET /sapi/v1/account/status", wallet.account, 1, SIGNED, ()),
        ("GET /sapi/v1/account/apiTradingStatus", wallet.trading, 1, SIGNED, ()),
        ("GET /sapi/v1/account/apiRestrictions", wallet.rights, 1, SIGNED, ()),
        ("GET /sapi/v1/account/info", wallet.standing, 1, SIGNED, ()),
        # 2,400 of the wallet's own allowance, which is not counted here
        ("GET /sapi/v1/accountSnapshot", wallet.snapshots, 1, SIGNED, ("type", *_SPAN)),
        ("GET /sapi/v1/bnbBurn", wallet.pays_in_bnb, 1, SIGNED, ()),
        ("GET /sapi/v1/capital/config/getall", wallet.coins, 10, SIGNED, ()),
        (
            "GET /sapi/v1/capital/deposit/hisrec",
            wallet.none,
            1,
            SIGNED,
            (*_MOVED, "includeSource", "txId"),
        ),
        (
            "GET /sapi/v1/capital/withdraw/history",
            wallet.none,
            1,
            SIGNED,
            (*_MOVED, "withdrawOrderId", "idList"),
        ),
        ("GET /sapi/v1/asset/assetDetail", wallet.details, 1, SIGNED, ("asset",)),
        ("GET /sapi/v1/asset/assetDividend", wallet.no_rows, 10, SIGNED, ("asset", *_SPAN)),
        ("GET /sapi/v1/asset/dribblet", wallet.no_dust, 1, SIGNED, ("accountType", *_SPAN)),
        ("GET /sapi/v1/asset/tradeFee", wallet.fees, 1, SIGNED, ("symbol",)),
        (
            "GET /sapi/v1/asset/transfer",
            wallet.no_rows,
            1,
            SIGNED,
            (*_SPAN, "type", "current", "size", "fromSymbol", "toSymbol"),
        ),
        ("POST /sapi/v3/asset/getUserAsset", wallet.assets, 5, SIGNED, _OF_ASSET),
        ("POST /sapi/v1/asset/get-funding-asset", wallet.none, 1, SIGNED, _OF_ASSET),
        ("GET /sapi/v1/margin/allAssets", wallet.none, 1, WITH_KEY, ("asset",)),
        ("GET /sapi/v1/margin/allPairs", wallet.none, 1, WITH_KEY, ("symbol",)),
        ("GET /sapi/v1/margin/isolated/allPairs", wallet.none, 10, WITH_KEY, ("symbol",)),
        ("GET /sapi/v1/spot/delist-schedule", wallet.none, 100, WITH_KEY, ()),
    )
    return [
        Method("", route, reply, weight, security, known) for route, reply, weight, security, known in by_path
    ]
