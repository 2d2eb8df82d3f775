"""The page of `RsiReversion`."""

# %% [markdown]
# # RSI reversion: buy what fell too far
#
# Wilder's relative strength index compares the rises and falls of the last bars: 0 when everything fell, 100 when
# everything rose. The idea: after a fall that was too quick the price comes back a little. Buy below `low`, leave
# above `high`.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.RsiReversion).source)

# %% [markdown]
# ## A backtest
# Four days of SPY in one-minute bars. What is decided on a bar's close fills at the next bar's open. `quantity` is what
# full size means.

# %%
result = wb.backtest(wb.strategies.RsiReversion(period=14), data="SPY", quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# A sweep tries them all and says beside the best row how likely it is to be luck. Four days are far too few to
# choose anything by: the guards say so.

# %%
tried = wb.sweep(
    wb.strategies.RsiReversion, data="SPY", quantity=100, cash=50_000, progress=False,
    period=range(5, 31, 5), low=[20, 25, 30, 35], high=[60, 65, 70, 75],
)
tried

# %%
tried.best(5)[["period", "low", "high", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper:
#
# ```python
# desk = wb.start()
# rsi = desk.run(wb.strategies.RsiReversion(period=14), symbols=["SPY"], quantity=100)
# rsi.set(low=25)        # its indicators start anew, the position stays
# rsi.stop()
# ```
#
# ## What can go wrong
# - **It buys into a fall and has no stop.** A price that keeps falling keeps it long, at full size, until the
#   index has recovered. One bad day can cost what many good ones brought.
# - **Costs.** It trades rarely; a tick on every order still shows:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.RsiReversion(period=14)
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data="SPY", quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **Few trades prove nothing.** A dozen orders in four days is an anecdote.
# - **It is long overnight** when the index has not recovered by the close; the gap of the morning is not its
#   choice.
#
# ## Next
# [moving_average_cross](moving_average_cross.ipynb): the opposite idea: follow the move instead of fading it. All
# pages: `docs/examples.md`. A strategy of your own: `docs/strategies.md`.
