"""The page of `OpeningRangeBreakout`."""

# %% [markdown]
# # Opening-range breakout: let the first half hour choose the side
#
# The first `minutes` of a session set a range. A close above it says the day goes up, one below it says down.
# Positions are closed in the evening, so no night is held. `x.ts_s` is the time of the bar's close in seconds
# since 1970, UTC: `x.ts_s % 86400` is the time of day.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.OpeningRangeBreakout).source)

# %% [markdown]
# ## A backtest
# Four days of SPY in one-minute bars. What is decided on a bar's close fills at the next bar's open. `quantity` is what
# full size means.

# %%
result = wb.backtest(wb.strategies.OpeningRangeBreakout(minutes=30.0), data="SPY", quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# A sweep tries them all and says beside the best row how likely it is to be luck. Four days are far too few to
# choose anything by: the guards say so.

# %%
tried = wb.sweep(
    wb.strategies.OpeningRangeBreakout, data="SPY", quantity=100, cash=50_000, progress=False,
    minutes=[5.0, 15.0, 30.0, 60.0], short=[False, True],
)
tried

# %%
tried.best(5)[["minutes", "short", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper:
#
# ```python
# desk = wb.start()
# range_ = desk.run(wb.strategies.OpeningRangeBreakout(minutes=30.0), symbols=["SPY"], quantity=100)
# range_.stop()
# ```
#
# ## What can go wrong
# - **The clock is UTC.** `out_h` = 20.75 is 15:45 in New York in winter and 16:45 in summer, after the close.
#   With daylight saving set `out_h` = 19.75; for data of several seasons write a strategy that asks a calendar.
# - **One or two trades a day** mean years of data before anything can be said:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.OpeningRangeBreakout(minutes=30.0)
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data="SPY", quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **The range of a wild morning is wide**: the stop, which is the other side of the range, lies far away.
# - While the range is being set the rule is not asked; a position from the evening before would be held through
#   it. It is flat by then, unless data end early: on a half day `out_h` comes too late.
#
# ## Next
# [vwap_reversion](vwap_reversion.ipynb): a price that knows the volume. All pages: `docs/examples.md`. A strategy of
# your own: `docs/strategies.md`.
