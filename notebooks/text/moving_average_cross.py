"""The page of `MovingAverageCross`."""

# %% [markdown]
# # Moving averages crossing: follow the trend
#
# A fast exponential mean above a slow one means that prices have risen lately. Hold while it is; leave when it is
# not. With `short` it sells instead of leaving. It earns in long moves and pays for them in between, with every
# false start.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.MovingAverageCross).source)

# %% [markdown]
# ## A backtest
# Four days of SPY in one-minute bars. What is decided on a bar's close fills at the next bar's open. `quantity` is what
# full size means.

# %%
result = wb.backtest(wb.strategies.MovingAverageCross(fast=12, slow=26), data="SPY", quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# A sweep tries them all and says beside the best row how likely it is to be luck. Four days are far too few to
# choose anything by: the guards say so.

# %%
tried = wb.sweep(
    wb.strategies.MovingAverageCross, data="SPY", quantity=100, cash=50_000, progress=False,
    fast=[5, 10, 15, 20], slow=[25, 40, 60, 90], short=[False, True],
)
tried

# %%
tried.best(5)[["fast", "slow", "short", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper:
#
# ```python
# desk = wb.start()
# cross = desk.run(wb.strategies.MovingAverageCross(fast=12, slow=26), symbols=["SPY"], quantity=100)
# cross.stop()
# ```
#
# ## What can go wrong
# - **Whipsaws.** In a market that goes nowhere every crossing is a small loss. On minutes that is most of the
#   time.
# - **Costs.** It turns around often, so a tick an order is a lot:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.MovingAverageCross(fast=12, slow=26)
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data="SPY", quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **An exponential mean never forgets.** `workbench check MovingAverageCross` tells how many bars of past it
#   takes until decisions no longer depend on where the data began: several times the slow period.
# - **The gap overnight** moves both means at once; the first crossing of a morning is often its echo.
#
# ## Next
# [sma_cross](sma_cross.ipynb): the same with simple means. All pages: `docs/examples.md`. A strategy of your own:
# `docs/strategies.md`.
