"""The page of `SmaCross`."""

# %% [markdown]
# # Simple means crossing: the oldest rule
#
# The same idea as with exponential means, with plain ones: each of the last `fast` or `slow` closes counts the
# same, the one before them not at all. So a decision depends on exactly `slow` bars, and an old jump shakes the
# mean once more on the day it drops out.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.SmaCross).source)

# %% [markdown]
# ## A backtest
# Four days of SPY in one-minute bars. What is decided on a bar's close fills at the next bar's open. `quantity` is what
# full size means.

# %%
result = wb.backtest(wb.strategies.SmaCross(fast=20, slow=100), data="SPY", quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# A sweep tries them all and says beside the best row how likely it is to be luck. Four days are far too few to
# choose anything by: the guards say so.

# %%
tried = wb.sweep(
    wb.strategies.SmaCross, data="SPY", quantity=100, cash=50_000, progress=False,
    fast=[5, 10, 20, 40], slow=[60, 100, 150, 200],
)
tried

# %%
tried.best(5)[["fast", "slow", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper:
#
# ```python
# desk = wb.start()
# cross = desk.run(wb.strategies.SmaCross(fast=20, slow=100), symbols=["SPY"], quantity=100)
# cross.stop()
# ```
#
# ## What can go wrong
# - **It is late by half its window.** A mean of 100 bars tells of fifty bars ago.
# - **Costs** are lower than with quick means, and still there:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.SmaCross(fast=20, slow=100)
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data="SPY", quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **The best pair of a sweep is the best of many.** Neighbours of a good pair should be good as well; a single
#   bright spot in a heat map (`tried.heatmap()`) is luck.
#
# ## Next
# [macd_cross](macd_cross.ipynb): the difference of two means, and its own mean. All pages: `docs/examples.md`. A
# strategy of your own: `docs/strategies.md`.
