"""The page of `DonchianBreakout`."""

# %% [markdown]
# # Donchian breakout: buy a new high, leave at a new low
#
# The turtles' rule on two channels: in on a close above the highest high of the `entry` bars before, out on one
# below the lowest low of the `exit` bars before. The channels end with the bar before (`before=True`): no close
# lies above a high that its own bar belongs to.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.DonchianBreakout).source)

# %% [markdown]
# ## A backtest
# Four days of SPY in one-minute bars. What is decided on a bar's close fills at the next bar's open. `quantity` is what
# full size means.

# %%
result = wb.backtest(wb.strategies.DonchianBreakout(entry=60, exit=30), data="SPY", quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# A sweep tries them all and says beside the best row how likely it is to be luck. Four days are far too few to
# choose anything by: the guards say so.

# %%
tried = wb.sweep(
    wb.strategies.DonchianBreakout, data="SPY", quantity=100, cash=50_000, progress=False,
    entry=range(20, 121, 20), exit=range(10, 61, 10),
)
tried

# %%
tried.best(5)[["entry", "exit", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper:
#
# ```python
# desk = wb.start()
# turtle = desk.run(wb.strategies.DonchianBreakout(entry=60, exit=30), symbols=["SPY"], quantity=100)
# turtle.stop()
# ```
#
# ## What can go wrong
# - **Most breakouts fail.** The rule loses a little often and wins a lot rarely; a year may pass before it does.
#   Four days tell nothing about that.
# - **You buy when everybody sees it.** Orders at a new high fill worse than elsewhere; one tick is kind:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.DonchianBreakout(entry=60, exit=30)
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data="SPY", quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **Full size at every breakout** ignores how wild the market is. The page on volatility targeting does
#   something about that.
#
# ## Next
# [volatility_targeted_trend](volatility_targeted_trend.ipynb): a size that follows the risk. All pages:
# `docs/examples.md`. A strategy of your own: `docs/strategies.md`.
