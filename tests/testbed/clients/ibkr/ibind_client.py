"""ibind as published completes a trading session over REST and its WebSocket client.

python -m tests.testbed.clients.ibkr.ibind_client < facts.json
"""

import logging
import os
import time
from collections.abc import Callable
from typing import Any

os.environ |= {
    "IBIND_LOG_TO_FILE": "False",
    "IBIND_LOG_TO_CONSOLE": "False",
    # its reader may miss that its own thread has closed the socket, and looks again after this long
    "IBIND_WS_PING_INTERVAL": "5",
}

from ibind import (  # type: ignore[import-untyped]
    ExternalBrokerError,
    IbkrClient,
    IbkrWsClient,
    OrderRequest,
    QuestionType,
    QueueSink,
    events,
    subscriptions,
)

from tests.testbed.clients.session import Session, expect, refused, until

YES: dict[Any, bool] = dict.fromkeys(QuestionType, True)
SPY, AAPL = 756_733, 265_598
FIELDS = ["31", "84", "86", "87", "7762", "6509", "55"]


class Desk:
    """What the steps share."""

    def __init__(self, session: Session) -> None:
        facts = session.facts
        self.account: str = facts["account"]
        self.client = IbkrClient(
            account_id=self.account,
            url=facts["rest"] + "/",
            cacert=False,
            max_retries=0,
            auto_register_shutdown=False,
        )
        self.sink = QueueSink()
        self.ws = IbkrWsClient(
            account_id=self.account, url=facts["ws"], ibkr_client=self.client, sink=self.sink
        )
        self.mark = int(time.time())
        self.seen: dict[type[Any], list[Any]] = {}
        self.bid = self.ask = 0.0

    def order(self, name: str, **more: Any) -> OrderRequest:
        """A day order of one SPY with an id of its own."""
        usual = {
            "conid": SPY,
            "side": "BUY",
            "quantity": 1,
            "order_type": "MKT",
            "acct_id": self.account,
            "tif": "DAY",
            "coid": f"ibind-{self.mark}-{name}",
        }
        return OrderRequest(**{**usual, **more})

    def place(self, name: str, **more: Any) -> Any:
        return self.client.place_order(self.order(name, **more), YES).data

    def status(self, order_id: str) -> str:
        return str(self.client.order_status(order_id).data["order_status"])

    def until_status(self, order_id: str, status: str) -> None:
        until(lambda: self.status(order_id) == status, f"order {order_id} {status}")

    def rows(self) -> list[dict[str, Any]]:
        """Live orders; the first call after a pause may be empty, and calls are paced."""
        return list(patient(lambda: self.client.live_orders().data["orders"]))

    def trades(self) -> list[dict[str, Any]]:
        return list(patient(lambda: self.client.trades(days="1").data))

    def heard(self, kind: type[Any], holds: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first event of a kind that holds, waited for."""

        def look() -> Any:
            seen = self.seen.setdefault(kind, [])
            while (event := self.sink.get(kind)) is not None:
                seen.append(event)
            return next((event for event in seen if holds(event)), None)

        return until(look, f"{kind.__name__} was heard")


def patient(call: Callable[[], Any]) -> Any:
    """The answer to a call that may be paced: what is refused is asked again."""

    def attempt() -> Any:
        try:
            return [call()]
        except ExternalBrokerError as error:
            if error.status_code != 429:
                raise
            time.sleep(1.0)
            return None

    return until(attempt, "a paced call was answered", 60.0)[0]


def session_steps(session: Session, desk: Desk) -> None:
    client = desk.client
    with session.step("tickle"):
        data = client.tickle().data
        expect(data["session"] and data["iserver"]["authStatus"]["authenticated"], "no session")
    with session.step("auth status and health"):
        expect(client.check_auth_status() and client.check_health(), "not healthy")
    with session.step("open the brokerage session"):
        expect(client.initialize_brokerage_session(compete=True).data["authenticated"], "not open")
    with session.step("validate"):
        expect(client.validate().data["RESULT"] is True, "not valid")
    with session.step("orders before accounts are refused"):
        refused(lambda: desk.place("early"), ExternalBrokerError, "/accounts first")
    with session.step("accounts"):
        data = client.receive_brokerage_accounts().data
        expect(data["accounts"] == [desk.account] and data["isPaper"] is True, str(data)[:200])
    with session.step("account summary"):
        data = client.account_summary().data
        expect(data["availableFunds"] > 7_500 and data["netLiquidationValue"] > 0, str(data)[:200])
    with session.step("switch account"):
        expect(client.switch_account(desk.account).data["success"] == "Account already set", "switched")
    with session.step("profit and loss"):
        expect(f"{desk.account}.Core" in client.account_profit_and_loss().data["upnl"], "no partition")


def portfolio_steps(session: Session, desk: Desk) -> None:
    client = desk.client
    with session.step("portfolio before its accounts is refused"):
        refused(client.portfolio_summary, ExternalBrokerError, "first")
    with session.step("portfolio accounts"):
        expect(client.portfolio_accounts().data[0]["accountId"] == desk.account, "another account")
    with session.step("portfolio summary"):
        row = client.portfolio_summary().data["netliquidation"]
        expect(row["amount"] > 0 and row["currency"] == "USD", str(row))
    with session.step("ledger"):
        data = client.get_ledger().data
        expect(data["BASE"]["cashbalance"] == data["USD"]["cashbalance"] > 0, "no cash")
    with session.step("no positions yet"):
        expect(client.positions().data == [] and client.positions2().data == [], "not flat")


def contract_steps(session: Session, desk: Desk) -> None:
    client = desk.client
    with session.step("contract numbers by symbol"):
        found = client.stock_conid_by_symbol(["AAPL", "SPY"]).data
        expect(found == {"AAPL": AAPL, "SPY": SPY}, str(found))
    with session.step("search"):
        expect(int(client.search_contract_by_symbol("SPY").data[0]["conid"]) == SPY, "not found")
    with session.step("definition, information and rules"):
        expect(client.security_definition_by_conid([str(SPY)]).data["secdef"][0]["ticker"] == "SPY", "no")
        info = client.info_and_rules_by_conid(str(SPY), True).data
        expect(info["symbol"] == "SPY" and info["rules"]["increment"] == 0.01, str(info)[:200])
        rules = client.search_contract_rules(str(SPY)).data
        expect(rules["incrementRules"][0]["lowerEdge"] == 0.0, str(rules)[:200])
    with session.step("hours, listings and rates"):
        week = client.trading_schedule_by_symbol("STK", "SPY").data[0]["schedules"]
        monday = next(day for day in week if day["tradingScheduleDate"] == "20000103")
        expect(monday["sessions"][0]["openingTime"] == "0930", str(monday))
        listed = client.all_conids_by_exchange("NASDAQ").data
        expect(any(row["conid"] == AAPL for row in listed), str(listed)[:200])
        expect(client.security_future_by_symbol(["ES"]).data == {"ES": []}, "futures")
        expect(client.currency_exchange_rate("USD", "USD").data["rate"] == 1.0, "no rate")
    with session.step("a symbol nobody knows"):
        expect(client.stock_conid_by_symbol(["NOSUCH"]).data == {}, "something was found")
    with session.step("a contract nobody knows"):
        refused(lambda: client.contract_information_by_conid("999"), ExternalBrokerError, "999")


def data_steps(session: Session, desk: Desk) -> None:
    client = desk.client
    with session.step("snapshot: the first call only starts it"):
        first = client.live_marketdata_snapshot([str(SPY)], FIELDS).data[0]
        expect("31" not in first and first["conid"] == SPY, str(first))
        row = client.live_marketdata_snapshot([str(SPY)], FIELDS).data[0]
        desk.bid, desk.ask = float(row["84"]), float(row["86"])
        expect(0 < desk.bid < desk.ask and row["6509"].startswith("R"), str(row))
    with session.step("snapshot by symbol"):
        rows = client.live_marketdata_snapshot_by_symbol(["AAPL"], FIELDS)
        expect(float(rows["AAPL"]["last_price"]) > 0, str(rows))
    with session.step("history"):
        bars = client.marketdata_history_by_symbol("SPY", "1min", period="30min").data["data"]
        expect(len(bars) >= 25 and bars[0]["l"] <= bars[0]["o"] <= bars[0]["h"], str(bars[:1]))
        days = client.marketdata_history_by_conids({"SPY": str(SPY)}, bar="1d", period="1m")
        expect(len(days["SPY"]) > 5, str(days)[:200])
    with session.step("unsubscribe"):
        client.marketdata_unsubscribe([str(SPY)])
        client.marketdata_unsubscribe_all()


def stream_steps(session: Session, desk: Desk) -> None:
    ws = desk.ws
    with session.step("connect the socket with the session's cookie"):
        expect(ws.start(), "not started")
        until(ws.is_ready, "the socket is ready")
        desk.heard(events.AuthenticationStatus, lambda e: e.authenticated is True)
        desk.heard(events.AccountUpdate, lambda e: e.data["selectedAccount"] == desk.account)
    with session.step("subscribe to everything"):
        wanted = [
            subscriptions.MarketDataSubscription(conid=str(SPY), fields=FIELDS),
            subscriptions.OrdersSubscription(),
            subscriptions.TradesSubscription(days=1),
            subscriptions.PnlSubscription(),
            subscriptions.AccountSummarySubscription(account_id=desk.account),
            subscriptions.AccountLedgerSubscription(account_id=desk.account),
        ]
        failed = ws.wait_all([ws.subscribe(one) for one in wanted], timeout_each=10)
        expect(failed == [], f"not confirmed: {failed}")
    with session.step("market data over the socket"):
        desk.heard(events.MarketData, lambda e: "last_price" in e.data and e.conid == str(SPY))
    with session.step("summary, ledger and profit over the socket"):
        summary = desk.heard(events.AccountSummary)
        expect(summary.data["NetLiquidation"]["monetaryValue"] > 0, "no net liquidation")
        desk.heard(events.AccountLedger, lambda e: e.data["cashbalance"] > 0)
        desk.heard(events.Pnl)
    with session.step("a chart over the socket, and its end"):
        chart = subscriptions.MarketHistorySubscription(conid=str(AAPL), period="1h", bar="1min")
        expect(ws.subscribe(chart).wait(10), "not confirmed")
        event = desk.heard(events.MarketHistory)
        expect(len(event.data["data"]) > 30, "too few bars")
        expect(ws.unsubscribe(chart).wait(10), "not ended")
    with session.step("tic"):
        message = ws.tic()
        expect(message is not None and message["alive"] is True, str(message))


def order_steps(session: Session, desk: Desk) -> None:
    client = desk.client
    with session.step("a market order fills"):
        data = desk.place("market")
        desk.until_status(data["order_id"], "Filled")
    with session.step("its execution over the socket"):
        name = f"ibind-{desk.mark}-market"
        event = desk.heard(events.Trades, lambda e: any(r.get("order_ref") == name for r in e.data["args"]))
        row = next(r for r in event.data["args"] if r.get("order_ref") == name)
        expect(row["side"] == "B" and float(row["price"]) > 0 and row["size"] == 1.0, str(row))
    with session.step("its updates over the socket"):
        desk.heard(events.Orders, lambda e: any(r.get("status") == "Filled" for r in e.data["args"]))
    with session.step("trades"):
        row = next(r for r in desk.trades() if r.get("order_ref") == name)
        expect(row["execution_id"] and row["conid"] == SPY, str(row))
    with session.step("a limit order far away is asked about, and rests"):
        asked = client.post(
            f"iserver/account/{desk.account}/orders",
            {"orders": [{"conid": SPY, "orderType": "LMT", "price": 100, "side": "BUY", "quantity": 1,
                         "tif": "DAY", "acctId": desk.account, "cOID": f"ibind-{desk.mark}-far"}]},
        ).data  # fmt: skip
        expect(asked[0]["messageIds"] == ["o163"], str(asked))
        far = client.reply(asked[0]["id"], True).data
        desk.until_status(far[0]["order_id"], "Submitted")
    with session.step("an answer works once"):
        expect("reply id not found" in client.reply(asked[0]["id"], True).data["error"], "twice")
    with session.step("no is no"):
        again = client.post(
            f"iserver/account/{desk.account}/orders",
            [{"conid": SPY, "orderType": "LMT", "price": 100, "side": "BUY", "quantity": 1, "tif": "DAY"}],
        ).data
        expect("not confirmed" in client.reply(again[0]["id"], False).data["error"], "confirmed")
    with session.step("live orders"):
        row = next(r for r in desk.rows() if r.get("order_ref") == f"ibind-{desk.mark}-far")
        expect(row["status"] == "Submitted" and row["price"] == "100.00", str(row))
        expect(str(row["orderId"]) == far[0]["order_id"] and row["remainingQuantity"] == 1.0, str(row))
    with session.step("modify"):
        changed = desk.order("far", order_type="LMT", price=101.5, quantity=2)
        data = client.modify_order(far[0]["order_id"], changed, YES).data
        expect(data["order_id"] == far[0]["order_id"], str(data))
        row = client.order_status(far[0]["order_id"]).data
        expect(row["limit_price"] == "101.50" and row["total_size"] == "2.0", str(row))
    with session.step("cancel"):
        data = client.cancel_order(far[0]["order_id"]).data
        expect(data["msg"] == "Request was submitted", str(data))
        desk.until_status(far[0]["order_id"], "Cancelled")
    with session.step("suppressed questions are not asked"):
        expect(client.suppress_messages(["o163"]).data["status"] == "submitted", "no")
        quiet = desk.order("quiet", order_type="LMT", price=round(desk.bid * 0.9, 2))
        order_id = client.place_order(quiet, {}).data["order_id"]
        expect(client.reset_suppressed_messages().data["status"] == "submitted", "no")
        client.cancel_order(order_id)
    with session.step("stop, stop-limit and trailing orders"):
        stop = desk.place("stop", order_type="STP", price=round(desk.ask * 1.05, 2))
        both = desk.place(
            "stop-limit", order_type="STOP_LIMIT", price=round(desk.ask * 1.06, 2),
            aux_price=round(desk.ask * 1.05, 2),
        )  # fmt: skip
        trail = desk.place("trail", side="SELL", order_type="TRAIL", trailing_amt=5.0, trailing_type="amt")
        for data in (stop, both, trail):
            desk.until_status(data["order_id"], "PreSubmitted")
    with session.step("cancel everything"):
        client.cancel_order("-1")
        for data in (stop, both, trail):
            desk.until_status(data["order_id"], "Cancelled")
    with session.step("a bracket: exits wait for their entry"):
        entry = f"ibind-{desk.mark}-entry"
        exits = {"side": "SELL", "parent_id": entry, "tif": "GTC"}
        rows = client.place_order(
            [
                desk.order("entry", order_type="LMT", price=round(desk.ask * 1.02, 2), tif="GTC"),
                desk.order("take", order_type="LMT", price=round(desk.ask * 1.2, 2), **exits),
                desk.order("loss", order_type="STP", price=round(desk.bid * 0.8, 2), **exits),
            ],
            YES,
        ).data
        expect(len(rows) == 3, str(rows))
        desk.until_status(rows[0]["order_id"], "Filled")
        desk.until_status(rows[1]["order_id"], "Submitted")
        client.cancel_order(rows[1]["order_id"])
        desk.until_status(rows[2]["order_id"], "Cancelled")
    with session.step("a preview"):
        data = client.whatif_order(desk.order("preview", order_type="LMT", price=round(desk.bid, 2))).data
        expect("USD" in data["amount"]["total"] and data["error"] is None, str(data)[:200])


def position_steps(session: Session, desk: Desk) -> None:
    client = desk.client
    with session.step("positions"):
        client.invalidate_backend_portfolio_cache()
        row = client.positions().data[0]
        expect(row["conid"] == SPY and row["position"] == 2.0 and row["ticker"] == "SPY", str(row)[:200])
        expect(client.positions2().data[0]["position"] == 2.0, "another position")
        expect(client.positions_by_conid(desk.account, str(SPY)).data[0]["avgPrice"] > 0, "no price")
    with session.step("sell it again"):
        data = desk.place("flat", side="SELL", quantity=2)
        desk.until_status(data["order_id"], "Filled")
        expect(client.positions2().data == [], "not flat")


def refusal_steps(session: Session, desk: Desk) -> None:
    client = desk.client
    with session.step("an id used again is refused"):
        refused(lambda: desk.place("market"), ExternalBrokerError, "already registered")
    with session.step("no funds"):
        huge = {"quantity": 1_000_000, "order_type": "LMT", "price": round(desk.ask, 2)}
        refused(lambda: desk.place("huge", **huge), ExternalBrokerError, "NOT ACCEPTED")
    with session.step("an order in a contract nobody knows"):
        refused(lambda: desk.place("nowhere", conid=999), ExternalBrokerError, "999")
    with session.step("a price off the grid"):
        off = {"order_type": "LMT", "price": round(desk.bid, 2) + 0.003}
        refused(lambda: desk.place("off", **off), ExternalBrokerError, "minimum price variation")
    with session.step("an order without quantity"):
        refused(lambda: desk.place("none", quantity=0), ExternalBrokerError, "400")
    with session.step("cancels of what is not there"):
        refused(lambda: client.cancel_order("123456"), ExternalBrokerError, "doesn't exist")
    with session.step("the status of what is not there"):
        refused(lambda: client.order_status("123456"), ExternalBrokerError, "503")


def end_steps(session: Session, desk: Desk) -> None:
    client = desk.client
    with session.step("close the socket"):
        expect(desk.ws.shutdown(), "not closed")
    with session.step("rate limit"):

        def hammer() -> None:
            for _ in range(40):
                client.tickle()

        refused(hammer, ExternalBrokerError, "429")
        patient(client.tickle)
    with session.step("log out: nothing goes any more"):
        patient(client.logout)
        refused(lambda: client.receive_brokerage_accounts(), ExternalBrokerError, "401")
        expect(client.check_auth_status() is False, "still authenticated")


def main() -> None:
    logging.disable(logging.CRITICAL)
    session = Session("ibind", "ibind")
    desk = Desk(session)
    for steps in (
        session_steps,
        portfolio_steps,
        contract_steps,
        data_steps,
        stream_steps,
        order_steps,
        position_steps,
        refusal_steps,
        end_steps,
    ):
        steps(session, desk)
        time.sleep(0.4)  # the gateway lets ten requests a second pass in the long run
    session.report()


if __name__ == "__main__":
    main()
