"""The shared broker checks over every broker there is: found by folder, nothing to register here."""

from importlib import import_module

import pytest

from workbench.brokers import Broker, find_brokers, open_broker
from workbench.brokers.checks import CHECKS, ContractBroken, run_check
from workbench.brokers.sim.rig import make_rig as sim_rig
from workbench.config import SimSettings, load_settings
from workbench.errors import UnknownName
from workbench.model import Filled


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("broker", find_brokers())
async def test_broker_keeps_the_contract(broker, check):
    async with import_module(f"workbench.brokers.{broker}.rig").make_rig() as rig:
        await run_check(check, rig)


@pytest.mark.parametrize("check", CHECKS)
async def test_sim_without_delays_keeps_the_contract(check):
    at_once = SimSettings.model_validate({"ack_median_us": 0, "fill_median_us": 0})
    async with sim_rig(at_once) as rig:
        await run_check(check, rig)


@pytest.mark.parametrize("name", find_brokers())
async def test_every_folder_opens_a_broker(name):
    broker = open_broker(name, load_settings())
    assert isinstance(broker, Broker)
    assert broker.name == name


def test_an_unknown_broker_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'sim'"):
        open_broker("sym", load_settings())


async def test_an_unknown_check_is_answered_with_the_nearest():
    async with sim_rig() as rig:
        with pytest.raises(UnknownName, match="market_order"):
            await run_check("market_ordr", rig)


# -- the checks can fail: exchanges with one thing wrong each ----------------------------------------------------


def _swallow_fees(rig):
    plain = rig.broker._sink

    def sink(report):
        plain(
            Filled(*(getattr(report, f) for f in report.__struct_fields__[:-1]))
            if is_fill(report)
            else report
        )

    def is_fill(report):
        return isinstance(report, Filled)

    rig.broker._sink = sink


def _report_from_within(rig):
    plain = rig.broker.submit

    def submit(order):
        plain(order)
        rig.broker._arrive()
        rig.broker._hand_out(float("inf"))

    rig.broker.submit = submit


def _forget_client_ids(rig):
    plain = rig.broker.submit

    def submit(order):
        rig.broker._arrive()
        rig.broker._known.pop(order.order_id, None)
        plain(order)

    rig.broker.submit = submit


def _fill_before_accepting(rig):
    plain = rig.broker._sink
    held = []

    def sink(report):
        if type(report).__name__ == "Accepted":
            held.append(report)
            return
        plain(report)
        while held:
            plain(held.pop())

    rig.broker._sink = sink


def _drop_cancels(rig):
    rig.broker.cancel = lambda order: None


def _answer_every_id(rig):
    plain = rig.broker.order

    async def order(client_id):
        return await plain(client_id) or await plain("wb-7-1")

    rig.broker.order = order


def _lose_orders_after_close(rig):
    rig.broker._refuse = lambda answer: (
        rig.reports.append(answer) if "Cancel" in type(answer).__name__ else None
    )


@pytest.mark.parametrize(
    ("break_it", "check"),
    [
        (_swallow_fees, "account_equals_fills"),
        (_report_from_within, "hand_over_only"),
        (_forget_client_ids, "client_id_twice"),
        (_fill_before_accepting, "market_order"),
        (_drop_cancels, "cancel_resting"),
        (_drop_cancels, "cancel_unknown"),
        (_drop_cancels, "cancel_races_fill"),
        (_answer_every_id, "ask_for_order"),
    ],
)
async def test_a_broken_exchange_is_caught(break_it, check):
    async with sim_rig() as rig:
        break_it(rig)
        with pytest.raises(ContractBroken, match="broker 'sim'"):
            await run_check(check, rig)


async def test_silence_after_the_close_is_caught(monkeypatch):
    monkeypatch.setattr("workbench.brokers.checks._DEADLINE_S", 0.05)
    async with sim_rig() as rig:
        _lose_orders_after_close(rig)
        with pytest.raises(ContractBroken, match="no answer after the close"):
            await run_check("close_twice", rig)
