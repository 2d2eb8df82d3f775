"""The page of `BollingerBreakout`."""

# %% [markdown]
# # Bollinger breakout: buy what leaves its band
#
# The bands lie `width` deviations around a mean. A close above the upper one is unusual; the idea is that it is
# the beginning of a move and not its end. Leave below the middle. (The opposite bet, that it comes back, uses the
# same bands.)

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.BollingerBreakout).source)

# %% [markdown]
# ## A backtest
# Four days of SPY in one-minute bars. What is decided on a bar's close fills at the next bar's open. `quantity` is what
# full size means.

# %%
result = wb.backtest(wb.strategies.BollingerBreakout(period=20, width=2.0), data="SPY", quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# A sweep tries them all and says beside the best row how likely it is to be luck. Four days are far too few to
# choose anything by: the guards say so.

# %%
tried = wb.sweep(
    wb.strategies.BollingerBreakout, data="SPY", quantity=100, cash=50_000, progress=False,
    period=[10, 20, 40, 80], width=[1.0, 1.5, 2.0, 2.5, 3.0],
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
# bands = desk.run(wb.strategies.BollingerBreakout(period=20, width=2.0), symbols=["SPY"], quantity=100)
# bands.stop()
# ```
#
# ## What can go wrong
# - **Quiet markets have narrow bands.** A move of a cent or two breaks them, and the costs are larger than the
#   move:

# %%
from workbench.config import SimSettings

strategy = wb.strategies.BollingerBreakout(period=20, width=2.0)
for name, sim in {"free": None, "one tick worse": SimSettings(slippage="ticks", slippage_amount=1.0)}.items():
    again = wb.backtest(strategy, data="SPY", quantity=100, cash=50_000, sim=sim)
    print(f"{name:16} {again.stats['total_return']:+.3%} in {again.stats['orders']:.0f} orders")

# %% [markdown]
# - **Two deviations are not rare here.** Returns have fat tails and bars are not independent: far more than one
#   close in forty lies outside.
#
# ## Next
# [donchian_breakout](donchian_breakout.ipynb): new highs and lows instead of bands. All pages: `docs/examples.md`. A
# strategy of your own: `docs/strategies.md`.
