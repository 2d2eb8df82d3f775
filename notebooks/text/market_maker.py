"""The page of `MarketMaker`."""

# %% [markdown]
# # A market maker: bid, offer, lean, amend
#
# It bids a little below the middle and offers a little above, and earns the difference when both fill. What it
# must not do is to collect a position: the prices lean away from what is held (`lean`), and at `most` units one
# side is taken out. `ctx.orders` are its working orders: those that lie wrong are amended, those that are
# unwanted cancelled, those that are missing sent.

# %%
import workbench as wb
from workbench.strategy import strategy_source

print(strategy_source(wb.strategies.MarketMaker).source)

# %% [markdown]
# ## A backtest
# The bundled data have no quotes, so the market is made.

# %%
from workbench.feeds import synthetic_quotes

market = synthetic_quotes(minutes=45)  # made quotes and trades: a spread of a few ticks, trades in runs
result = wb.backtest(wb.strategies.MarketMaker(), data=market, quantity=100, cash=50_000)
result

# %%
result.plot()

# %% [markdown]
# ## Other parameters
# `edge` is what it asks for, `lean` what it fears. One session has no Sharpe ratio, so the return ranks.

# %%
tried = wb.sweep(
    wb.strategies.MarketMaker, data=market, quantity=100, cash=50_000, progress=False, objective="total_return",
    edge=[0.02, 0.03, 0.04], lean=[0.0, 0.0001, 0.0003],
)
tried

# %%
tried.best(5)[["edge", "lean", "total_return", "orders"]]

# %% [markdown]
# ## On a desk
# The same object, live on paper. It needs quotes, which the bundled bars do not have: an account at a venue sends
# them, and so does an emulated venue.
#
# ```python
# desk = wb.attach("demo")                      # after: workbench demo --broker alpaca
# maker = desk.run(wb.strategies.MarketMaker(), symbols=["AAPL"], quantity=100)
# maker.stop()
# ```
#
# ## What can go wrong
# - **The market here is made, and kind.** Every print at our price fills us: nobody stands before us. With a
#   queue and the delays of a venue most of it goes to others:

# %%
from workbench.config import SimSettings

harder = SimSettings(queue=True, arrival="delayed", ack_median_us=20_000, fill_median_us=30_000)
for name, sim in {"alone at its price": None, "behind a queue": harder}.items():
    again = wb.backtest(wb.strategies.MarketMaker(), data=market, quantity=100, cash=50_000, sim=sim)
    print(f"{name:20} {again.stats['total_return']:+.3%} in {again.stats['fills']:.0f} fills")

# %% [markdown]
# - **You are filled when you are wrong.** In a real market the one who takes your offer often knows more. Here
#   trades move the price a little for good (`impact`); in news they move it a lot.
# - **Amendments are messages.** Two for nearly every quote: venues limit and charge them. `workbench run` stops a
#   strategy that sends too many.
# - Quotes must come from a feed: the bundled bars have none.
#
# ## Next
# [live_venues](live_venues.ipynb): the same desk at three venues. All pages: `docs/examples.md`. A strategy of your
# own: `docs/strategies.md`.
