"""The built-in exchange's matching as its settings say: the one place that reads them, for paper and for backtests.

Lives here: settings turned into a venue. Not here: what a venue does (engine/match).
"""

from collections.abc import Iterable

from workbench.config import SimSettings
from workbench.engine.fees import FeeSchedule, PerUnit
from workbench.engine.latency import Latency
from workbench.engine.match import Match, SessionTable, Slippage, Terms
from workbench.errors import UnknownName
from workbench.model.instrument import Instrument
from workbench.model.scale import to_e8

__all__ = ["beyond_plain", "latency_of", "make_match"]

_PLAIN = SimSettings()
_SIMPLE = frozenset(
    {
        "ack_median_us",
        "fill_median_us",
        "sigma",
        "seed",
        "measured",
        "fee_per_order",
        "fee_per_unit",
        "fee_rate",
        "fill_at",
        "group",
    }
)


def beyond_plain(sim: SimSettings) -> str:
    """The first setting, in words, that asks for more than fees a unit and of the value, delays and the fill mode; ""
    when none does. For loops that do the matching themselves.

    >>> beyond_plain(SimSettings(fee_rate=0.001)), beyond_plain(SimSettings(queue=True))
    ('', 'queue = True')
    """
    for name in SimSettings.model_fields:
        if name not in _SIMPLE and getattr(sim, name) != getattr(_PLAIN, name):
            return f"{name} = {getattr(sim, name)!r}"
    return ""


def latency_of(sim: SimSettings) -> Latency:
    """The delays of the settings: as measured where they hold measurements, else log-normal.

    Raises:
        UnknownName, BadValue: measurements of no stage, or that cannot be.
    """
    if sim.measured:
        stages = {name: [us * 1e3 for us in quantiles] for name, quantiles in sim.measured.items()}
        return Latency.measured(stages, sim.seed)
    return Latency(sim.ack_median_us, sim.fill_median_us, sim.sigma, seed=sim.seed)


def _plain_fees(sim: SimSettings) -> PerUnit:
    return PerUnit(to_e8(sim.fee_per_unit), sim.fee_rate, to_e8(sim.fee_per_order))


def make_match(
    sim: SimSettings,
    *,
    cash_e8: int = 0,
    instruments: Iterable[Instrument] = (),
    sessions: SessionTable | None = None,
    latency: Latency | None = None,
    fill_at: str = "",
    fees: FeeSchedule | None = None,
) -> Match:
    """A fresh venue with one account. `fill_at` and `fees` go before the settings' when given.

    Raises:
        UnknownName: a symbol of the settings that is no instrument's. BadValue: settings that contradict each other.

    >>> make_match(SimSettings(fees="binance"), cash_e8=100).cash_e8
    100
    """
    listed = list(instruments)
    number = {i.symbol: i.iid for i in listed}

    def iid_of(symbol: str) -> int:
        if symbol not in number:
            raise UnknownName("symbol", symbol, number)
        return number[symbol]

    terms = Terms(
        account=sim.account,
        initial=sim.initial_margin,
        maintenance=sim.maintenance_margin,
        maintenance_short=sim.maintenance_margin_short,
        margin_call=sim.margin_call,
        shorting=sim.shorting,
        not_shortable=frozenset(iid_of(symbol) for symbol in sim.not_shortable) if listed else (),
        borrow_rate=sim.borrow_rate,
        borrow_rates={iid_of(symbol): rate for symbol, rate in sim.borrow_rates.items()} if listed else {},
        debit_rate=sim.debit_rate,
    )
    return Match(
        cash_e8,
        latency if latency is not None else latency_of(sim),
        fees=fees if fees is not None else sim.fees or _plain_fees(sim),
        fill_at=fill_at or sim.fill_at,
        group=sim.group,
        arrival=sim.arrival,
        queue=sim.queue,
        participation=sim.participation,
        slippage=Slippage(sim.slippage, sim.slippage_amount),
        instruments=listed,
        sessions=sessions,
        terms=terms,
    )
