"""The page of `VolatilityTargetedTrend`."""

# %% [markdown]
# # Volatility targeting: the same risk in calm and wild markets
#
# The side is a trend rule's: long while a fast mean is above a slow one, short below. The size is the point:
# `target` (a year's volatility that the position may have) over the volatility the market has now, at most full
# size. `EwmaVolatility` weighs recent bars most; `bars_a_year` turns minutes into years (252 days of 390
# minutes). Steps of a tenth keep it from trading every bar.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.VolatilityTargetedTrend).source)

# %% [markdown]
# ## A backtest
# Four days of SPY in one-minute bars. What is decided on a bar's close fills at the next bar's open. `quantity` is what
# full size means.

# %%
result = wb.backtest(wb.strategies.VolatilityTargetedTrend(target=0.08), data="SPY", quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# A sweep tries them all and says beside the best row how likely it is to be luck. Four days are far too few to
# choose anything by: the guards say so.

# %%
tried = wb.sweep(
    wb.strategies.VolatilityTargetedTrend, data="SPY", quantity=100, cash=50_000, progress=False,
    fast=[15, 30, 60], slow=[90, 120, 180], target=[0.04, 0.08, 0.16],
)
tried

# %%
tried.best(5)[["fast", "slow", "target", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper:
#
# ```python
# desk = wb.start()
# trend = desk.run(wb.strategies.VolatilityTargetedTrend(target=0.08), symbols=["SPY"], quantity=100)
# trend.stop()
# ```
#
# ## What can go wrong
# - **Volatility of minutes is not volatility of days.** Bid and ask bounce inflates it, nights are missing from
#   it. Scaled to a year it is a number to compare with itself only.
# - **It sells after the fall.** When the market gets wild the size shrinks, after the first loss.
# - **Resizing costs**:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.VolatilityTargetedTrend(target=0.08)
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data="SPY", quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **Always in the market**, long or short: short stock costs to borrow (`SimSettings(borrow_rate=...)`) and may
#   not be had at all.
#
# ## Next
# [opening_range_breakout](opening_range_breakout.ipynb): a rule with a clock. All pages: `docs/examples.md`. A
# strategy of your own: `docs/strategies.md`.
