"""The page of `KalmanPairs`."""

# %% [markdown]
# # Pairs with a Kalman hedge: two prices that belong together
#
# Two prices that follow the same thing drift apart and meet again. A Kalman filter keeps a line through them,
# `alpha` + `beta` times the second, and lets both walk slowly. When the first lies `entry` deviations above the
# line, sell it and buy `beta` of the second; when it is back, leave. The filter is an indicator of two series, so
# it is kept in `start` as a `Stream` and moved once an instant, in `on_timer`.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.KalmanPairs).source)

# %% [markdown]
# ## A backtest
# The bundled data hold one symbol, so the market is made: a seeded pair whose gap has a half life of an hour.
# An event strategy runs its hooks in Python; the loop around them is a shortcut of the live engine's, equal to the last
# order.

# %%
from workbench.feeds import synthetic_pair

market = synthetic_pair(bars=1_950)  # five made days of two symbols that belong together
result = wb.backtest(wb.strategies.KalmanPairs(), data=market, quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# Event strategies are swept as well, one backtest a set.

# %%
tried = wb.sweep(
    wb.strategies.KalmanPairs, data=market, quantity=100, cash=50_000, progress=False,
    entry=[1.0, 1.5, 2.0, 2.5], delta=[1e-9, 1e-8, 1e-7],
)
tried

# %%
tried.best(5)[["entry", "delta", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper. The desk's market must have both symbols: a data set of your own
# (`workbench data import`), or an account at a venue.
#
# ```python
# desk = wb.start("pairs", data="my-pair")      # a data set with AAA and BBB
# pairs = desk.run(wb.strategies.KalmanPairs(), symbols=["AAA", "BBB"], quantity=100)
# pairs.stop()
# ```
#
# ## What can go wrong
# - **Here it works because it was made to.** The two symbols were built from one walk and a gap that comes back.
#   Two real symbols may part for good: a merger, a scandal, and the gap only widens. There is no stop in the
#   rule.
# - **Two legs, twice the costs.** Each leg fills on its own; here both fill at the next open:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.KalmanPairs()
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data=market, quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **Choosing the pair is the strategy.** Of a thousand pairs some fit by chance. A pair found by looking must be
#   tried on data that were not looked at.
# - **The filter's two constants matter more than `entry`.** A quick one follows the gap itself and sees nothing.
#
# ## Next
# [cross_sectional_momentum](cross_sectional_momentum.ipynb): many symbols at once. All pages: `docs/examples.md`. A
# strategy of your own: `docs/strategies.md`.
