"""The shared broker checks over every broker there is: found by folder, nothing to register here."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from msgspec import structs

from workbench.brokers import (
    CAPABILITIES,
    Broker,
    BrokerOrder,
    capabilities_of,
    find_brokers,
    open_broker,
)
from workbench.brokers.checks import CHECKS, BrokerRig, ContractBroken, MakeRig, run_check
from workbench.brokers.sim.rig import make_rig as sim_rig
from workbench.config import SimSettings, load_settings
from workbench.errors import UnknownName
from workbench.model import Accepted, CancelRefused, Filled, Report, Submit


def rig_maker(broker: str) -> MakeRig:
    """`make_rig` of a broker: in its own folder, or among the emulators' rigs when it needs one of them."""
    name = f"workbench.testbed.rigs.{broker}"
    module = import_module(name if find_spec(name) is not None else f"workbench.brokers.{broker}.rig")
    made: MakeRig = module.make_rig
    return made


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("broker", find_brokers())
async def test_broker_keeps_the_contract(broker: str, check: str) -> None:
    async with rig_maker(broker)() as rig:
        if not await run_check(check, rig):
            pytest.skip(f"{broker} does not claim it")


@pytest.mark.parametrize("check", CHECKS)
async def test_sim_without_delays_keeps_the_contract(check: str) -> None:
    at_once = SimSettings.model_validate({"ack_median_us": 0, "fill_median_us": 0})
    async with sim_rig(at_once) as rig:
        assert await run_check(check, rig)


@pytest.mark.parametrize("name", find_brokers())
async def test_every_folder_opens_a_broker(name: str) -> None:
    broker = open_broker(name, load_settings())
    assert isinstance(broker, Broker)
    assert broker.name == name


def test_an_unknown_broker_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'sim'"):
        open_broker("sym", load_settings())


async def test_an_unknown_check_is_answered_with_the_nearest() -> None:
    async with sim_rig() as rig:
        with pytest.raises(UnknownName, match="market_order"):
            await run_check("market_ordr", rig)


# -- the checks can fail: exchanges with one thing wrong each ----------------------------------------------------


def _sim(rig: BrokerRig) -> Any:
    """The exchange inside, open to sabotage."""
    return rig.broker


def _swallow_fees(rig: BrokerRig) -> None:
    plain = _sim(rig)._sink

    def sink(report: Report) -> None:
        plain(structs.replace(report, fee_e8=0) if isinstance(report, Filled) else report)

    _sim(rig)._sink = sink


def _report_from_within(rig: BrokerRig) -> None:
    plain = _sim(rig).submit

    def submit(order: Submit) -> None:
        plain(order)
        _sim(rig)._arrive()
        _sim(rig)._hand_out(float("inf"))

    _sim(rig).submit = submit


def _forget_client_ids(rig: BrokerRig) -> None:
    plain = _sim(rig).submit

    def submit(order: Submit) -> None:
        _sim(rig)._arrive()
        _sim(rig)._known.pop(order.order_id, None)
        plain(order)

    _sim(rig).submit = submit


def _fill_before_accepting(rig: BrokerRig) -> None:
    plain = _sim(rig)._sink
    held: list[Report] = []

    def sink(report: Report) -> None:
        if isinstance(report, Accepted):
            held.append(report)
            return
        plain(report)
        while held:
            plain(held.pop())

    _sim(rig)._sink = sink


def _misname(other: Callable[[int], int]) -> Callable[[BrokerRig], None]:
    """An exchange whose executions name another order."""

    def break_it(rig: BrokerRig) -> None:
        plain = _sim(rig)._sink

        def sink(report: Report) -> None:
            wrong = isinstance(report, Filled)
            plain(structs.replace(report, order_id=other(report.order_id)) if wrong else report)

        _sim(rig)._sink = sink

    return break_it


def _drop_cancels(rig: BrokerRig) -> None:
    _sim(rig).cancel = lambda order: None


def _drop_amendments(rig: BrokerRig) -> None:
    _sim(rig).amend = lambda order: None


def _forget_words(field: str) -> Callable[[BrokerRig], None]:
    """An exchange that takes every order without this word: as if it had been 0."""

    def break_it(rig: BrokerRig) -> None:
        plain = _sim(rig).submit
        _sim(rig).submit = lambda order: plain(structs.replace(order, **{field: 0}))

    return break_it


def _answer_every_id(rig: BrokerRig) -> None:
    plain = _sim(rig).order

    async def order(client_id: str) -> BrokerOrder | None:
        known: BrokerOrder | None = await plain(client_id) or await plain("wb-7-1")
        return known

    _sim(rig).order = order


def _lose_orders_after_close(rig: BrokerRig) -> None:
    def refuse(answer: Report) -> None:
        if isinstance(answer, CancelRefused):
            rig.reports.append(answer)

    _sim(rig)._refuse = refuse


@pytest.mark.parametrize(
    ("break_it", "check"),
    [
        (_swallow_fees, "account_equals_fills"),
        (_report_from_within, "hand_over_only"),
        (_forget_client_ids, "client_id_twice"),
        (_fill_before_accepting, "market_order"),
        (_misname(lambda order_id: order_id + 1_000), "reports_name_orders"),
        (_misname(lambda order_id: order_id % 40 + 1), "reports_name_orders"),
        (_drop_cancels, "cancel_resting"),
        (_drop_cancels, "cancel_unknown"),
        (_drop_cancels, "cancel_races_fill"),
        (_answer_every_id, "ask_for_order"),
        (_drop_amendments, "amend_resting"),
        (_drop_amendments, "amend_what_is_not"),
        (_drop_amendments, "amend_races_fill"),
        (_forget_words("kind"), "stop_waits"),
        (_forget_words("stop_px_e8"), "stop_limit_rests"),
        (_forget_words("kind"), "trailing_follows"),
        (_forget_words("group"), "one_cancels_other"),
        (_forget_words("parent_id"), "exits_wait"),
        (_forget_words("parent_id"), "exits_go_with_entry"),
        (_forget_words("tif"), "immediate_or_cancel"),
        (_forget_words("tif"), "fill_or_kill"),
        (_drop_cancels, "good_till_cancelled"),
    ],
)
async def test_a_broken_exchange_is_caught(break_it: Callable[[BrokerRig], None], check: str) -> None:
    async with sim_rig() as rig:
        break_it(rig)
        with pytest.raises(ContractBroken, match="broker 'sim'"):
            await run_check(check, rig)


async def test_silence_after_the_close_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.brokers.checks._DEADLINE_S", 0.05)
    async with sim_rig() as rig:
        _lose_orders_after_close(rig)
        with pytest.raises(ContractBroken, match="no answer after the close"):
            await run_check("close_twice", rig)


@pytest.mark.parametrize("name", find_brokers())
def test_what_a_broker_claims_are_words_of_the_contract(name: str) -> None:
    assert capabilities_of(open_broker(name, load_settings())) <= set(CAPABILITIES)


async def test_what_is_not_claimed_is_not_checked() -> None:
    async with sim_rig() as rig:
        _sim(rig).capabilities = frozenset({"amend"})
        assert not await run_check("one_cancels_other", rig)
        assert rig.reports == []


async def test_a_misspelt_claim_is_answered_with_the_nearest() -> None:
    async with sim_rig() as rig:
        _sim(rig).capabilities = frozenset({"amnd"})
        with pytest.raises(UnknownName, match="did you mean 'amend'"):
            capabilities_of(rig.broker)
