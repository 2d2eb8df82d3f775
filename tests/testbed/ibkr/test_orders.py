"""The emulated gateway's orders: refusals, question chains, numbers, changes, brackets, lists."""

from typing import Any

import pytest

from tests.testbed.ibkr.gate import AAPL, Gate, gate
from workbench.testbed import Fault

LIMIT: dict[str, Any] = {"orderType": "LMT", "price": 1.0}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"conid": 999}, 404, "999 is not available"),
        ({"conid": "38"}, 404, "is not available"),
        ({"side": "HOLD"}, 400, "side HOLD"),
        ({"orderType": "MAGIC"}, 400, "orderType MAGIC"),
        ({"tif": "NEVER"}, 400, "tif NEVER"),
        ({"quantity": 0}, 400, "invalid"),
        ({"quantity": -5}, 400, "invalid"),
        ({"quantity": "many"}, 400, "invalid"),
        ({"quantity": None}, 400, "invalid"),
        ({"quantity": 0.5}, 200, "minimum variation of 1"),
        ({"orderType": "LMT"}, 400, "price None"),
        ({"orderType": "LMT", "price": 0}, 400, "price 0"),
        ({"orderType": "LMT", "price": 230.123}, 200, "minimum price variation"),
        ({"orderType": "LMT", "price": 0.12345}, 200, "minimum price variation"),
        ({"orderType": "STOP_LIMIT", "price": 240.0}, 400, "auxPrice None"),
        ({"orderType": "TRAIL", "trailingAmt": 1}, 400, "trailingType"),
        ({"orderType": "TRAIL", "trailingType": "%", "trailingAmt": 100}, 400, "below 100"),
        ({"orderType": "STP", "price": 240.0, "tif": "IOC"}, 200, "IOC is not valid"),
        ({"cOID": "x" * 65}, 400, "longer than 64"),
        ({"acctId": "DU000"}, 400, "DU000"),
        ({"cashQty": 1.0}, 200, "less than one share"),
        ({"quantity": 10_000_000}, 200, "NOT ACCEPTED"),
    ],
)
async def test_refusals(body: dict[str, Any], status: int, words: str) -> None:
    async with gate() as found:
        answered, said = await found.post(found.ticket(**body))
        assert answered == status
        assert words in said["error"]
        assert not found.venue.exchange.orders


async def test_a_contract_abroad_is_not_permitted() -> None:
    async with gate() as found:
        hits = (await found.get("/trsrv/stocks?symbols=AAPL,NOSUCH"))["AAPL"][0]["contracts"]
        abroad = next(c["conid"] for c in hits if not c["isUS"])
        assert (await found.post(found.ticket(conid=abroad)))[1] == {"error": "No trading permissions."}


async def test_two_shapes_of_a_body_and_none() -> None:
    async with gate() as found:
        path = f"/iserver/account/{found.account}/orders"
        assert (await found("POST", path, [found.ticket()]))[1][0]["order_status"] == "Submitted"
        bodies: list[Any] = [{}, [], {"orders": []}, {"orders": 5}, "x"]
        for body in bodies:
            assert (await found("POST", path, body))[0] == 400
        async with found.session.post(found.venue.facts["rest"] + path, data=b"{") as answer:
            assert answer.status == 400


async def test_an_id_counts_for_a_day() -> None:
    async with gate() as found:
        ticket = found.ticket(cOID="mine")
        assert (await found.post(ticket))[0] == 200
        status, said = await found.post(ticket)
        assert (status, said["error"]) == (
            200,
            "Order couldn't be submitted: Local order ID=mine is already registered.",
        )
        found.fault("duplicate_400")
        assert (await found.post(ticket))[0] == 400
        found.venue.console.advance(90_000)
        found.by_hand(logged_in=True)
        await found.get("/iserver/accounts")
        assert (await found.post(ticket))[1][0]["order_status"] == "Submitted"


async def test_a_chain_of_questions() -> None:
    async with gate() as found:
        number = found.fault("question", text="o354 p12")
        _, said = await found.post(found.ticket(**LIMIT))
        asked = []
        first = said[0]["id"]
        while "message" in said[0]:
            assert not found.venue.exchange.orders
            assert said[0]["isSuppressed"] is False
            asked.append(said[0]["messageIds"][0])
            _, said = await found("POST", f"/iserver/reply/{said[0]['id']}", {"confirmed": True})
        assert asked == ["o163", "o354", "p12"]
        assert await found.status(said[0]["order_id"]) == "Submitted"
        assert (
            "reply id not found"
            in (await found("POST", f"/iserver/reply/{first}", {"confirmed": True}))[1]["error"]
        )
        found.venue.faults.remove(number)
        assert (await found("POST", "/iserver/reply/x", {"confirmed": "yes"}))[0] == 400


async def test_no_discards_the_order_and_its_id() -> None:
    async with gate() as found:
        ticket = found.ticket(**LIMIT)
        _, said = await found.post(ticket)
        status, no = await found("POST", f"/iserver/reply/{said[0]['id']}", {"confirmed": False})
        assert (status, no) == (200, {"error": "Order not confirmed"})
        _, again = await found.post(ticket)
        assert again[0]["messageIds"] == ["o163"]
        found.venue.console.advance(301)  # five minutes are enough to answer
        _, late = await found("POST", f"/iserver/reply/{again[0]['id']}", {"confirmed": True})
        assert "not found" in late["error"]


async def test_suppressed_for_this_session() -> None:
    async with gate() as found:
        assert (await found("POST", "/iserver/questions/suppress", {"messageIds": ["o163"]}))[1] == {
            "status": "submitted"
        }
        assert "order_id" in (await found.post(found.ticket(**LIMIT)))[1][0]
        assert (await found("POST", "/iserver/questions/suppress", {"messageIds": []}))[0] == 500
        too_many = {"messageIds": [f"o{n}" for n in range(52)]}
        assert (await found("POST", "/iserver/questions/suppress", too_many))[0] == 500
        await found("POST", "/iserver/questions/suppress/reset")
        assert "message" in (await found.post(found.ticket(**LIMIT)))[1][0]


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ({}, []),
        ({"orderType": "LMT", "price": 231.0}, []),
        ({"orderType": "LMT", "price": 260.0}, ["o163"]),
        ({"quantity": 501}, ["o383", "o451"]),
        ({"orderType": "STP", "price": 240.0}, ["o10331"]),
        ({"orderType": "STP", "price": 220.0}, ["o403", "o10331"]),
        ({"orderType": "TRAIL", "trailingType": "amt", "trailingAmt": 2, "side": "SELL"}, ["o10331"]),
        ({"quantity": None, "cashQty": 500}, ["o10164", "o10223"]),
    ],
)
async def test_what_is_asked_about(body: dict[str, Any], kinds: list[str]) -> None:
    async with gate() as found:
        found.venue.console.move("AAPL", 230.0)
        status, said = await found.post(found.ticket(**body))
        asked = []
        while status == 200 and "message" in said[0]:
            asked += said[0]["messageIds"]
            status, said = await found("POST", f"/iserver/reply/{said[0]['id']}", {"confirmed": True})
        assert (asked, status) == (kinds, 200)


async def test_three_ways_of_not_affording_it() -> None:
    huge = {"quantity": 1_000_000, "orderType": "LMT", "price": 230.0}
    async with gate() as found:
        for kind in ("o383", "o451", "o163"):
            found.venue.venue.session.suppressed.add(kind)  # type: ignore[attr-defined]
        assert "NOT ACCEPTED" in (await found.post(found.ticket(**huge)))[1]["error"]
        number = found.fault("funds_question")
        _, said = await found.post(found.ticket(**huge))
        assert "NOT ACCEPTED" in said[0]["message"][0]
        found.venue.faults.remove(number)
        found.fault("funds_inactive")
        for row in (
            await found.order(**huge),
            (await found("POST", f"/iserver/reply/{said[0]['id']}", {"confirmed": True}))[1][0],
        ):
            assert row["order_status"] == "Submitted"
            for _ in range(500):
                if await found.status(row["order_id"]) == "Inactive":
                    break
            assert await found.status(row["order_id"]) == "Inactive"


async def test_modify_keeps_the_number_and_checks_the_ticket() -> None:
    async with gate() as found:
        row = await found.order(orderType="LMT", price=found.px(0.99))
        path = f"/iserver/account/{found.account}/order/{row['order_id']}"
        said = found.ticket(orderType="LMT", price=found.px(0.98), quantity=3)
        _, changed = await found("POST", path, said)
        assert changed[0]["order_id"] == row["order_id"]
        status = await found.get(f"/iserver/account/order/status/{row['order_id']}")
        assert (status["total_size"], status["limit_price"]) == ("3.0", f"{found.px(0.98):.2f}")
        assert (await found("POST", path, {**said, "side": "SELL"}))[0] == 400
        assert (await found("POST", path, {**said, "conid": 756733}))[0] == 400
        _, asked = await found("POST", path, {**said, "price": 1.0})
        assert asked[0]["messageIds"] == ["o163"]
        assert (
            "not confirmed"
            in (await found("POST", f"/iserver/reply/{asked[0]['id']}", {"confirmed": False}))[1]["error"]
        )
        assert "NOT ACCEPTED" in (await found("POST", path, {**said, "quantity": 10_000_000}))[1]["error"]
        found.venue.console.move("AAPL", found.px(0.97))
        assert await found.status(row["order_id"]) == "Filled"
        status_code, gone = await found("POST", path, said)
        assert (status_code, gone["error"]) == (400, f"OrderID {row['order_id']} doesn't exist")


async def test_cancel_one_all_and_none() -> None:
    async with gate() as found:
        rows = [await found.order(orderType="LMT", price=found.px(0.99)) for _ in range(3)]
        path = f"/iserver/account/{found.account}/order/"
        _, said = await found("DELETE", path + rows[0]["order_id"])
        assert said == {
            "msg": "Request was submitted",
            "account": found.account,
            "order_id": int(rows[0]["order_id"]),
            "conid": AAPL,
        }
        assert await found.status(rows[0]["order_id"]) == "Cancelled"
        assert (await found("DELETE", path + rows[0]["order_id"]))[0] == 400
        assert (await found("DELETE", path + "17"))[1]["error"] == "OrderID 17 doesn't exist"
        assert (await found("DELETE", path + "-1"))[1]["order_id"] == -1
        assert [await found.status(row["order_id"]) for row in rows] == ["Cancelled"] * 3
        found.venue.faults.add(Fault(what="reject", where="order:accept", text="because"))
        dead = await found.order()
        assert await found.status(dead["order_id"]) == "Inactive"
        assert (await found("DELETE", path + dead["order_id"]))[1]["error"] == "Order is inactive"


def bracket(found: Gate, **entry: Any) -> list[dict[str, Any]]:
    head = found.ticket(cOID="head", orderType="LMT", price=found.px(0.99), **entry)
    exits = {"side": "SELL", "parentId": "head", "tif": "GTC"}
    take = found.ticket(cOID="take", orderType="LMT", price=found.px(1.02), **exits)
    return [head, take, found.ticket(cOID="loss", orderType="STP", price=found.px(0.97), **exits)]


async def test_a_bracket_in_one_array() -> None:
    async with gate() as found:
        _, rows = await found.post(*bracket(found))
        assert [row["local_order_id"] for row in rows] == ["head", "take", "loss"]
        head, take, loss = (row["order_id"] for row in rows)
        assert [row.get("parent_order_id") for row in rows] == [None, head, head]
        listed = {row["order_ref"]: row for row in (await found.get("/iserver/account/orders"))["orders"]}
        assert listed["take"]["parentId"] == listed["loss"]["parentId"] == int(head)
        assert listed["take"]["ocaGroupId"] == listed["loss"]["ocaGroupId"]
        assert [await found.status(n) for n in (take, loss)] == ["PreSubmitted"] * 2
        found.venue.console.move("AAPL", found.px(0.99))
        assert await found.status(head) == "Filled"
        assert await found.status(take) == "Submitted"
        found.venue.console.move("AAPL", found.px(1.04))
        assert [await found.status(n) for n in (take, loss)] == ["Filled", "Cancelled"]


async def test_exits_without_ids_name_their_parent_alone() -> None:
    async with gate() as found:
        orders = bracket(found)
        for one in orders[1:]:
            del one["cOID"]
        _, (head, *exits) = await found.post(*orders)
        assert (head["local_order_id"], "parent_order_id" in head) == ("head", False)
        assert [row["parent_order_id"] for row in exits] == [head["order_id"]] * 2
        assert not any("local_order_id" in row for row in exits)
        ticket = {**orders[2], "price": found.px(0.96)}
        _, (changed,) = await found(
            "POST", f"/iserver/account/{found.account}/order/{exits[1]['order_id']}", ticket
        )
        assert changed["parent_order_id"] == head["order_id"]


async def test_an_array_is_not_taken_in_as_a_whole() -> None:
    """One bad exit fails alone; exits of a bad entry fail with it."""
    async with gate() as found:
        orders = bracket(found)
        orders[1]["price"] = 0
        _, rows = await found.post(*orders)
        assert [row["order_status"] for row in rows] == ["Submitted", "Failed", "PreSubmitted"]
        assert rows[1]["order_id"] == "-1"
        bad = [
            {**o, "cOID": o["cOID"] + "2", "parentId": o.get("parentId") and "head2"} for o in bracket(found)
        ]
        bad[0]["quantity"] = 0.5
        _, rows = await found.post(*bad)
        assert [row["order_id"] for row in rows] == ["-1"] * 3
        assert "Parent order ID=head2 isn't recognized" in rows[1]["text"]


async def test_a_group_of_two_cancels_itself() -> None:
    async with gate() as found:
        pair = {"orderType": "LMT", "isSingleGroup": True}
        _, rows = await found.post(
            found.ticket(**pair, price=found.px(0.99)), found.ticket(**pair, price=found.px(0.98))
        )
        await found("DELETE", f"/iserver/account/{found.account}/order/{rows[0]['order_id']}")
        assert [await found.status(row["order_id"]) for row in rows] == ["Cancelled"] * 2


async def test_a_full_list_lacks_ended_orders_and_no_open_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.testbed.ibkr.lists._MOST_ORDERS", 3)
    async with gate() as found:
        resting = (await found.order(orderType="LMT", price=found.px(0.99)))["order_id"]
        for _ in range(4):
            row = await found.order()
            await found.get("/iserver/account/orders?force=true")
        found.venue.exchange.settle()
        listed = (await found.get("/iserver/account/orders"))["orders"]
        assert [one["orderId"] for one in listed[:2]] == [int(resting), int(row["order_id"])]
        assert [one["status"] for one in listed] == ["Submitted", "Filled", "Filled"]


async def test_lists_their_filters_and_force() -> None:
    async with gate() as found:
        await found.order(cOID="filled")
        await found.order(cOID="resting", orderType="LMT", price=found.px(0.99))
        path = "/iserver/account/orders"

        async def refs(query: str = "") -> list[str]:
            said = await found.get(path + query)
            return [row["order_ref"] for row in said["orders"]]

        assert await refs() == ["resting", "filled"]
        assert await refs("?filters=submitted,pre_submitted") == ["resting"]
        assert await refs("?filters=Filled") == ["filled"]
        assert await refs("?filters=sort_by_time") == ["resting", "filled"]
        assert (await found("GET", path + "?filters=nonsense"))[0] == 400
        assert await found.get(path + "?force=true") == {"orders": [], "snapshot": False}
        assert await refs("?force=true") == ["resting", "filled"]
        assert (await found("GET", path + "?accountId=DU1"))[0] == 400
        row = (await found.get(path))["orders"][1]
        assert (row["price"], row["status"], row["side"]) == ("", "Filled", "BUY")
        assert isinstance(row["orderId"], int)


async def test_first_calls_may_find_nothing() -> None:
    async with gate() as found:
        found.fault("cold_orders")
        found.fault("cold_trades")
        await found.order()
        assert await found.get("/iserver/account/orders") == {"orders": [], "snapshot": False}
        assert len((await found.get("/iserver/account/orders"))["orders"]) == 1
        assert await found.get("/iserver/account/trades") == []
        row = (await found.get("/iserver/account/trades/?days=7"))[0]
        assert (row["order_ref"], row["side"], row["size"]) == ("gate-1", "B", 1.0)
        assert (await found("GET", "/iserver/account/trades?days=8"))[0] == 400


async def test_numbers_may_begin_again() -> None:
    async with gate() as found:
        first = await found.order(orderType="LMT", price=found.px(0.99))
        found.fault("id_rollback")
        again = await found.order(orderType="LMT", price=found.px(0.98))
        assert first["order_id"] == again["order_id"]
        rows = (await found.get("/iserver/account/orders"))["orders"]
        assert len({row["orderId"] for row in rows}) == 1
        assert len({row["order_ref"] for row in rows}) == 2


async def test_the_books_are_shown() -> None:
    async with gate(cash=100_000) as found:
        await found.order(quantity=10)
        page = f"/portfolio/{found.account}/positions/0"
        row = (await found.get(page))[0]
        assert (row["conid"], row["position"], row["ticker"]) == (AAPL, 10.0, "AAPL")
        found.fault("cached_positions")
        await found.get(page)
        await found.order(quantity=5)
        assert (await found.get(page))[0]["position"] == 10.0
        assert (await found.get(f"/portfolio2/{found.account}/positions"))[0]["position"] == 15.0
        await found("POST", f"/portfolio/{found.account}/positions/invalidate")
        assert (await found.get(page))[0]["position"] == 15.0
        assert await found.get(f"/portfolio/{found.account}/positions/1") == []
        cash = (await found.get(f"/portfolio/{found.account}/ledger"))["USD"]["cashbalance"]
        assert cash == found.venue.exchange.cash_e8 / 1e8
        summary = await found.get(f"/iserver/account/{found.account}/summary")
        assert summary["netLiquidationValue"] == pytest.approx(100_000, rel=0.01)
        assert (await found("GET", "/portfolio/DU1/ledger"))[0] == 400


async def test_a_preview_changes_nothing() -> None:
    async with gate() as found:
        body = {"orders": [found.ticket(quantity=10_000_000)]}
        _, said = await found("POST", f"/iserver/account/{found.account}/orders/whatif", body)
        assert "NOT ACCEPTED" in said["error"]
        assert not found.venue.exchange.orders


async def test_one_order_by_itself_at_the_older_address() -> None:
    async with gate() as found:
        path = f"/iserver/account/{found.account}/order"
        _, said = await found("POST", f"{path}/whatif", found.ticket(quantity=2))
        assert said["amount"]["amount"].endswith("(2 Shares)")
        status, said = await found("POST", path, found.ticket(quantity=2))
        assert (status, await found.status(said[0]["order_id"])) == (200, "Filled")
        assert found.venue.console.state()["positions"]["AAPL"] == 2
        # the address for several does not take one by itself
        assert (await found.post())[0] == 400
        assert (await found("POST", f"{path}s", found.ticket()))[0] == 400
