"""The page about trading at several venues at once; the venues are emulated unless one says otherwise."""

# %% [markdown]
# # Three venues on one desk
#
# One desk trades at Alpaca, Binance and Interactive Brokers together: a route says which symbol goes where, the desk's
# books are the sum of the accounts, and each account has its own state, allowances and streams.
#
# The venues here are emulated: real servers on this machine that speak the brokers' protocols, with prices of their own
# and no money. Set `emulated = False` to trade at the accounts of your own `workbench.toml` (see `docs/brokers.md`).

# %%
emulated = True
venues = ("alpaca", "binance", "ibkr")
routes = {"AAPL": "alpaca", "BTCUSDT": "binance", "ETHUSDT": "binance", "SPY": "ibkr"}

# %% [markdown]
# ## Venues, keys, accounts
# `workbench emulate VENUE --json` prints keys and addresses on its first line and serves until it is ended. At this speed
# a candle of a minute lasts a tenth of a second. The keys go into the secrets folder, where only the engine reads them.

# %%
import json
import subprocess
import sys

import workbench as wb
from workbench.config import home_folder
from workbench.testbed.accounts import account_at, write_keys

servers, facts, accounts = {}, {}, {}
if emulated:
    for venue in venues:
        command = [sys.executable, "-m", "workbench.cli", "emulate", venue, "--json", "--port", "0", "--speed", "600"]
        command += ["--no-limits"] if venue == "ibkr" else []  # it grants a list of orders every five seconds
        servers[venue] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for venue, server in servers.items():
        facts[venue] = json.loads(server.stdout.readline())
        keys = write_keys(home_folder() / "secrets", f"page-{venue}", facts[venue])
        accounts[venue] = account_at(facts[venue], keys, limited=venue != "ibkr")
{name: account["venue"] for name, account in accounts.items()}

# %% [markdown]
# ## A desk at them
# What a `workbench.toml` would say under `[brokers]`, `[routes]` and `[market]`. A live market has nothing to play or to
# pause: it begins when the desk does.

# %%
market = {"brokers": list(accounts), "symbols": list(routes), "reconcile_s": 1.0}
settings = {"brokers": accounts, "routes": routes, "market": market} if emulated else {}
desk = wb.start("venues", settings=settings, fresh=emulated, quiet=True)
desk.wait(until=lambda shot: all(row.state == "healthy" for row in shot.accounts), timeout_s=60)
desk.accounts

# %% [markdown]
# ## Trade
# The same strategy as everywhere. What it knows of the venue is the instrument: its steps and its prices.

# %%
for symbol, quantity in {"AAPL": 10, "SPY": 5, "BTCUSDT": 0.02, "ETHUSDT": 0.4}.items():
    desk.run(wb.strategies.RsiReversion(period=4, low=45.0, high=55.0), symbols=[symbol], quantity=quantity)
desk.wait(until=lambda shot: {fill.account for fill in shot.fills} == set(accounts), timeout_s=120)
desk

# %% [markdown]
# An order says where it went, and its trace how long it waited for the venue's allowance (`limiter`), was under way
# (`wire`) and at the venue (`fill`).

# %%
last = {order.account: order for order in desk.orders if order.state == "filled"}
print(f"{'account':10}{'symbol':10}{'stage':>9} us:{'limiter':>10}{'wire':>10}{'fill':>10}")
for account, order in sorted(last.items()):
    trace = order.trace()
    spent = dict(zip(trace.stages, trace.length_us, strict=True))
    print(f"{account:10}{order.symbol:22}" + "".join(f"{spent.get(s, 0.0):10.0f}" for s in ("limiter", "wire", "fill")))

# %% [markdown]
# ## A venue goes away
# The emulators' console makes them misbehave (`docs/emulators.md`). Here everything that Binance has dies for a while.
# The account says so and why; nothing is sent there; the others go on. Its strategies rest meanwhile: an order whose
# answer is lost stays unknown until the venue was asked often enough, which takes half a minute.

# %%
from urllib.request import Request, urlopen


def console(venue, method, path, **body):
    """Ask an emulator's console."""
    headers = {"Authorization": f"Bearer {facts[venue]['console_token']}", "Content-Type": "application/json"}
    address = f"{facts[venue]['console']}/{path}"
    with urlopen(Request(address, json.dumps(body).encode() if body else None, headers, method=method)) as answer:
        return json.loads(answer.read() or "null")


def well(shot):
    return {row.account: row.state == "healthy" for row in shot.accounts}


def rest(*symbols):
    """Pause the strategies in `symbols` and wait until none of their orders is open."""
    for strategy in desk.strategies:
        if set(strategy.row.symbols) & set(symbols) and strategy.state != "paused":
            strategy.pause("it is looked at")
    ended = ("filled", "cancelled", "rejected", "expired", "not_sent")
    desk.wait(until=lambda shot: all(order.state in ended for order in shot.orders if order.symbol in symbols))


if emulated:
    rest("BTCUSDT", "ETHUSDT")
    console("binance", "POST", "faults", what="outage")
    desk.wait(until=lambda shot: not well(shot)["binance"])
desk.accounts

# %%
if emulated:
    console("binance", "DELETE", "faults")
    desk.wait(until=lambda shot: all(well(shot).values()))
{row.account: row.state for row in desk.accounts}

# %% [markdown]
# ## Somebody else trades the account
# The desk compares its books with the brokers' again and again. Two looks with the same difference, and the symbol is
# frozen: only orders that reduce the position pass, until both agree or a person thaws it. Nothing is mended by itself.
# Everything in the symbol is paused first, because a symbol that trades meanwhile is not compared.

# %%
rest(*routes)
held = {row.symbol: row.quantity for row in desk.positions if row.strategy_id == -1}
if emulated:
    console("alpaca", "POST", "position", symbol="AAPL", qty=held.get("AAPL", 0.0) + 7)
    desk.wait(until=lambda shot: "AAPL" in shot.session.frozen)
desk.differences

# %%
if emulated:
    print(desk.place("AAPL", "buy", 1).text)

# %%
if emulated:
    console("alpaca", "POST", "position", symbol="AAPL", qty=held.get("AAPL", 0.0))
    desk.wait(until=lambda shot: not shot.session.frozen)
    for account in accounts.values():
        theirs = console(account["venue"], "GET", "state")["positions"]
        print(f"{account['venue']:10} holds {theirs}")
        assert theirs == {symbol: held[symbol] for symbol in theirs}
desk.alerts[-3:]

# %% [markdown]
# ## The end of the day
# `desk.kill("why")` is the switch for a bad moment, `desk.stop()` the end of a good one. What can go wrong at a real
# venue, and what the desk does then, is in `docs/brokers.md`. `desk.check()` replays the whole journal in a fresh process
# and holds the books against every broker.

# %%
desk.stop()
for server in servers.values():
    server.terminate()
print({venue: server.wait(10) for venue, server in servers.items()})

# %% [markdown]
# ## Next
# What each figure and colour of an account means: `docs/venues.md`. Your own account in two lines of `workbench.toml`
# and a key: `docs/brokers.md`. The strategy that was traded here: [rsi_reversion](rsi_reversion.ipynb).
