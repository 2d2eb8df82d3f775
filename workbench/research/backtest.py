"""`backtest`: a strategy over recorded bars, by the fastest loop that answers as the live engine would."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.config import SimSettings
from workbench.engine import Sizing
from workbench.engine.fees import FeeSchedule
from workbench.engine.sizing import UNITS
from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds import Recording, open_data
from workbench.model import Instrument, from_e8, to_e8
from workbench.research.loops import run_plan
from workbench.research.plan import CLOSE, NEXT_OPEN, Placement, Plan, Progress, limits_of, venue_of
from workbench.research.result import Result
from workbench.research.telling import counting
from workbench.strategy import Strategy, is_event, parameters_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Part", "backtest", "check_lot", "market_of", "number_of"]


class Part(NamedTuple):
    """One of several strategies in one account; what is left out is as in the call of `backtest`."""

    strategy: Strategy | type[Strategy]
    symbols: Iterable[str] | str | None = None
    quantity: float | None = None
    sizing: str | Sizing | None = None


type Placeable = Strategy | type[Strategy] | Part


def backtest(
    strategy: Placeable | Sequence[Placeable] | Mapping[str, Placeable],
    data: "str | Path | pd.DataFrame | Recording" = "SPY",
    *,
    symbols: Iterable[str] | str | None = None,
    start: str | int | None = None,
    end: str | int | None = None,
    quantity: float = 10.0,
    sizing: str | Sizing = "quantity",
    cash: float = 1_000_000.0,
    fill: str = "",
    fees: float | str | FeeSchedule = 0.0,
    fee_per_unit: float = 0.0,
    fee_per_order: float = 0.0,
    slippage: float | tuple[str, float] = 0.0,
    limits: Mapping[str, float] | str | None = None,
    flat_at_end: bool = False,
    adjusted: bool = False,
    tz: str = "",
    stamp: str = "end",
    calendar: str = "",
    tick: float | Mapping[str, float] = 0.0,
    lot: float | Mapping[str, float] = 0.0,
    sim: SimSettings | None = None,
    loop: str = "auto",
    progress: Progress | None = None,
) -> Result:
    """Run a strategy over recorded bars; decisions on a bar's close fill at the next open.

    Args:
        strategy: an instance with its parameters, or the class with its defaults. A list, or a dictionary by name, puts
            several into one account (`Part` gives one of them its own symbols and size).
        data: a name from `workbench data list`, a Parquet or CSV file, a DataFrame, or a `Recording`.
        symbols: which of its symbols to trade; None takes all. One symbol also names rows that name none.
        start, end: dates (whole exchange days), times (the exchange's wall time unless they carry a zone) or ns;
            only bars with start <= ts <= end are seen.
        quantity: units a target of 1 means; with another `sizing` what that says.
        sizing: quantity, percent, notional, volatility, kelly or risk, by name or with parameters as a
            `workbench.engine.Sizing`.
        cash: starting cash of the account.
        fill: "next_open" (the default), or "close" to fill at the very close that was decided on.
        fees: a fraction of the value of each fill (0.001 is 0.1 %), a venue's schedule by name ("ibkr-tiered"), or a
            schedule of one's own (`workbench.engine.fees.FeeSchedule`).
        fee_per_unit, fee_per_order: a fee for every unit and for every order, besides a fraction.
        slippage: how much worse than the market orders without a limit fill, as a fraction of the price; or a model and
            its amount: ("ticks", 2), ("sqrt", 0.01).
        limits: risk limits by name (`workbench.engine.Limits`); "off" puts them all out of reach.
        flat_at_end: close what is held at the last bar's close.
        adjusted: scale the prices of a file or frame by its column `adj_close`.
        tz, stamp, calendar: what a file or frame does not say itself: the zone of its times; whether they are the "end"
            or the "start" of a bar or the date of a "session"; its exchange ("24/7" never closes).
        tick, lot: the steps of prices and quantities, for all symbols or by symbol; 0 takes the data's own, else the
            grids its figures lie on (whole units where no volume says otherwise).
        sim: everything else about the venue (`workbench.config.SimSettings`); no latency when omitted.
        loop: "auto" takes the fastest loop that answers as the live engine would; "compiled", "events" and "engine"
            ask for one. `result.run.loop` names the one that ran, `result.run.why` what kept it from a faster one.
        progress: called about a hundred times with (events done, events in all), instead of the line that shows it.

    Raises:
        UnknownName, BadValue: unknown data, symbol, limit or date, or an impossible figure. DataRefused: rows that
        cannot be traded on. StrategyError: the strategy's code raised or answered NaN.

    >>> import workbench as wb
    >>> result = wb.backtest(wb.strategies.RsiReversion(period=14), data="SPY", fees=0.0001)
    >>> result.stats["fills"] > 0
    True
    """
    names = _names(symbols)
    recording = market_of(
        data, names, start, end, tz=tz, stamp=stamp, calendar=calendar, adjusted=adjusted, tick=tick, lot=lot
    )
    venue, own_fees = venue_of(sim, fees, fee_per_unit, slippage, fee_per_order)
    parts = _parts(strategy)
    plan = Plan(
        recording=recording,
        placements=tuple(_placed(part, recording, quantity, sizing) for part in parts.values()),
        cash=number_of("cash", cash),
        sim=venue,
        limits=limits_of(limits),
        fees=own_fees,
        fill=fill or (CLOSE if venue.fill_at == "close" else NEXT_OPEN),
        flat_at_end=flat_at_end,
    )
    with counting(" + ".join(parts)) as tell:
        run = run_plan(replace(plan, progress=progress or tell), loop)
    placed = [placement.strategy for placement in plan.placements]
    parameters: dict[str, Any] = dict(parameters_of(placed[0]))
    if len(placed) > 1:
        pairs = zip(parts, placed, strict=True)
        parameters = {f"{name}.{key}": value for name, one in pairs for key, value in parameters_of(one)}
    return Result(run, " + ".join(parts), parameters, tuple(parts))


def _parts(strategy: Any) -> dict[str, Part]:
    """What is to be placed, by name."""
    if isinstance(strategy, Mapping):
        given = [(str(name), _part(item)) for name, item in strategy.items()]
    else:
        several = isinstance(strategy, (list, tuple)) and not isinstance(strategy, Part)
        listed = [_part(item) for item in (strategy if several else [strategy])]
        given = [(_class_of(part).__name__, part) for part in listed]
    if not given:
        raise BadValue("strategy", strategy, "give at least one")
    named: dict[str, Part] = {}
    for name, part in given:
        number, unique = 2, name
        while unique in named:
            unique, number = f"{name} #{number}", number + 1
        named[unique] = part
    return named


def _part(item: Any) -> Part:
    part = item if isinstance(item, Part) else Part(item)
    kind = _class_of(part)
    if not issubclass(kind, Strategy):
        raise BadInput(f"strategy = {item!r}: give a strategy, its class, a list or a dictionary of them")
    return part


def _class_of(part: Part) -> type:
    return part.strategy if isinstance(part.strategy, type) else type(part.strategy)


def _placed(part: Part, recording: Recording, quantity: float, sizing: str | Sizing) -> Placement:
    chosen = part.strategy() if isinstance(part.strategy, type) else part.strategy
    symbols = recording.symbols
    if part.symbols is not None:
        symbols = (part.symbols,) if isinstance(part.symbols, str) else tuple(part.symbols)
    for symbol in symbols:
        if symbol not in recording.symbols:
            raise UnknownName("symbol", symbol, recording.symbols)
    iids = sorted(recording.symbols.index(symbol) for symbol in symbols)
    placement = Placement.checked(
        chosen,
        iids,
        number_of("quantity", quantity if part.quantity is None else part.quantity),
        sizing if part.sizing is None else part.sizing,
    )
    if not is_event(type(chosen)):
        check_lot(placement.sizing, placement.quantity, [recording.instruments[iid] for iid in iids])
    return placement


def check_lot(sizing: str, quantity: float, instruments: Iterable[Instrument]) -> None:
    """Refuse a number of units that is less than a lot: nothing would ever be traded."""
    for instrument in instruments if sizing == UNITS else ():
        if not instrument.floor_qty(to_e8(quantity)):
            lot = from_e8(instrument.lot_e8)
            advice = f"give at least {lot:g}, the lot of {instrument.symbol}, or a smaller lot="
            raise BadValue("quantity", quantity, advice)


def _names(symbols: Any) -> list[str] | None:
    if symbols is None:
        return None
    names = [symbols] if isinstance(symbols, str) else list(symbols) if isinstance(symbols, Iterable) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise BadValue("symbols", symbols, "name at least one symbol of the data")
    return names


def market_of(
    data: Any, names: list[str] | None = None, start: Any = None, end: Any = None, **understood: Any
) -> Recording:
    """The market asked for; every symbol of it has data. `understood` as for `open_data`."""
    foreign = not isinstance(data, (str, Recording)) or str(data).lower().endswith(_FILES)
    symbol = names[0] if foreign and names is not None and len(names) == 1 else ""
    recording = open_data(data, names, start, end, symbol=symbol, **understood)
    empty = set(range(len(recording.instruments))) - set(recording.iid.tolist() if names else ())
    if names and empty:
        raise BadValue(
            "symbols", recording.symbols[min(empty)], f"data '{recording.name}' has no row of it there"
        )
    return recording


_FILES = (".parquet", ".csv", ".csv.gz", ".csv.zip")


def number_of(field: str, value: Any) -> float:
    """A plain number; a text or a list is none."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise BadValue(field, value, "give a number")
    return float(value)
