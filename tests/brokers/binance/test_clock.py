"""A clock that is set while a desk trades: what the venue refuses because of the time on it asks for the time again."""

import pytest

from tests.brokers.binance.desk import trading
from tests.brokers.pool.wires import until


@pytest.mark.parametrize("skew_s", [120.0, -30.0])
async def test_a_question_goes_again_with_the_right_time(skew_s: float) -> None:
    async with trading() as desk:
        desk.fault("clock_skew", "*", seconds=skew_s)
        account = await desk.broker.account()
        assert account.open_orders == ()
        errors = desk.broker.pool.meters.errors
        assert errors["ClockOff"] >= 1
        told = errors["ClockOff"]
        await desk.broker.account()
        assert errors["ClockOff"] == told  # it is known now


@pytest.mark.parametrize("skew_s", [120.0, -30.0])
async def test_streams_that_break_are_opened_again_with_the_right_time(skew_s: float) -> None:
    async with trading() as desk:
        streams = desk.broker.pool.streams
        desk.fault("clock_skew", "*", seconds=skew_s)
        before = [stream.connects for stream in streams]
        desk.cut_streams()
        await until(
            lambda: all(
                stream.state == "live" and stream.connects > connects
                for stream, connects in zip(streams, before, strict=True)
            )
        )
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["Accepted", "Filled"]
