"""The page of `VwapReversion`."""

# %% [markdown]
# # VWAP reversion: buy below the day's average price
#
# The volume-weighted average price is what the day's buyers have paid on average. Well below it, sellers were in
# a hurry; the idea is that the price comes back. `width` counts deviations of the last `period` closes. Flat in
# the evening.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.VwapReversion).source)

# %% [markdown]
# ## A backtest
# Four days of SPY in one-minute bars. What is decided on a bar's close fills at the next bar's open. `quantity` is what
# full size means.

# %%
result = wb.backtest(wb.strategies.VwapReversion(period=60, width=2.0), data="SPY", quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# A sweep tries them all and says beside the best row how likely it is to be luck. Four days are far too few to
# choose anything by: the guards say so.

# %%
tried = wb.sweep(
    wb.strategies.VwapReversion, data="SPY", quantity=100, cash=50_000, progress=False,
    period=[20, 40, 60, 90], width=[1.0, 1.5, 2.0, 3.0],
)
tried

# %%
tried.best(5)[["period", "width", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper:
#
# ```python
# desk = wb.start()
# vwap = desk.run(wb.strategies.VwapReversion(period=60, width=2.0), symbols=["SPY"], quantity=100)
# vwap.stop()
# ```
#
# ## What can go wrong
# - **On a trend day the price does not come back.** Without a stop the rule holds until the evening.
# - **Early in the day** the average is made of a few bars and means little.
# - **Costs**:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.VwapReversion(period=60, width=2.0)
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data="SPY", quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **The volume is one exchange's.** A VWAP over all exchanges, which is what funds trade against, is another
#   line.
# - `out_h` is UTC: see the page on opening ranges for daylight saving.
#
# ## Next
# [kalman_pairs](kalman_pairs.ipynb): two symbols at once. All pages: `docs/examples.md`. A strategy of your own:
# `docs/strategies.md`.
