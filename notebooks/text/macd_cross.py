"""The page of `MacdCross`."""

# %% [markdown]
# # MACD: ride a move while it gathers speed
#
# MACD is the distance of two exponential means; its signal line is a mean of that distance. Above the signal line
# the move gathers speed, below it the move tires. `band` keeps the rule still while the two lie close together.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.MacdCross).source)

# %% [markdown]
# ## A backtest
# Four days of SPY in one-minute bars. What is decided on a bar's close fills at the next bar's open. `quantity` is what
# full size means.

# %%
result = wb.backtest(wb.strategies.MacdCross(), data="SPY", quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# A sweep tries them all and says beside the best row how likely it is to be luck. Four days are far too few to
# choose anything by: the guards say so.

# %%
tried = wb.sweep(
    wb.strategies.MacdCross, data="SPY", quantity=100, cash=50_000, progress=False,
    fast=[8, 12, 16], slow=[20, 26, 34], smoothing=[5, 9, 13], band=[0.0, 0.00005, 0.0001],
)
tried

# %%
tried.best(5)[["fast", "slow", "smoothing", "band", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper:
#
# ```python
# desk = wb.start()
# macd = desk.run(wb.strategies.MacdCross(), symbols=["SPY"], quantity=100)
# macd.stop()
# ```
#
# ## What can go wrong
# - **A derivative of a mean is noisy.** Without `band` it trades every few minutes, and pays each time:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.MacdCross()
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data="SPY", quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **Four parameters fit anything.** With four days of data some of the sets above must look good. The deflated
#   Sharpe ratio asks how good luck alone would look in as many tries.
# - **It knows no level.** In a slow, steady rise MACD is flat and the rule is out.
#
# ## Next
# [bollinger_breakout](bollinger_breakout.ipynb): bands that breathe with the market. All pages: `docs/examples.md`. A
# strategy of your own: `docs/strategies.md`.
