"""The page of `CrossSectionalMomentum`."""

# %% [markdown]
# # Cross-sectional momentum: hold the few that rose most
#
# Of many symbols some have risen more than the others, and the idea is that they go on. `on_bar` only notes each
# symbol's rise; `on_timer`, called once after the bars of an instant, ranks them every `every` bars and holds the
# `best`. A list of signals is one answer: symbols that should be held, and those that should not.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.CrossSectionalMomentum).source)

# %% [markdown]
# ## A backtest
# The bundled data hold one symbol, so the market is made: six seeded random walks that know nothing of each other.

# %%
from workbench.feeds import synthetic

market = synthetic(symbols=6, bars=1_950)  # five made days of six random walks
result = wb.backtest(wb.strategies.CrossSectionalMomentum(), data=market, quantity=100, cash=100_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# Event strategies are swept as well, one backtest a set.

# %%
tried = wb.sweep(
    wb.strategies.CrossSectionalMomentum, data=market, quantity=100, cash=100_000, progress=False,
    lookback=[60, 120, 240], every=[30, 60, 120], best=[1, 2, 3],
)
tried

# %%
tried.best(5)[["lookback", "every", "best", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper. The desk's market must have the symbols: a data set of your own
# (`workbench data import`), or an account at a venue.
#
# ```python
# desk = wb.start("basket", data="my-basket")   # a data set with these symbols
# names = ["AAA", "BBB", "CCC", "DDD"]
# momentum = desk.run(wb.strategies.CrossSectionalMomentum(), symbols=names, quantity=100)
# momentum.stop()
# ```
#
# ## What can go wrong
# - **Here there is nothing to find, and it shows.** The symbols are independent random walks: yesterday's winners
#   are winners by luck. Whatever the best row of the sweep says, this market holds no momentum. Remember the row
#   when you look at your own.
# - **Costs are all that is certain**:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.CrossSectionalMomentum()
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data=market, quantity=100, cash=100_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **The list of symbols looks back.** A basket of today's large companies has risen, or it would not be one. Use
#   the list as it was then.
# - **Everything trades at one instant.** Real baskets move prices and take time.
#
# ## Next
# [market_maker](market_maker.ipynb): quotes instead of bars. All pages: `docs/examples.md`. A strategy of your own:
# `docs/strategies.md`.
