"""`workbench emulate`: the first line, serving until SIGTERM, and what is wrong with an option in one line."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

COMMAND = (sys.executable, "-m", "workbench.cli", "emulate")


async def run(*arguments: str) -> tuple[int, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_one_line_of_json_then_it_serves_until_sigterm(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nwhat = "status"\nwhere = "rest:GET /v2/clock"\nstatus = 503\n')
    pipe = asyncio.subprocess.PIPE
    options = ("--port", "0", "--json", "--market-open", "always", "--cash", "50000", "--faults", str(faults))
    process = await asyncio.create_subprocess_exec(*COMMAND, "alpaca", *options, stdout=pipe, stderr=pipe)
    try:
        assert process.stdout is not None
        facts = json.loads(await asyncio.wait_for(process.stdout.readline(), 100))
        assert {"key", "secret", "account", "symbols", "rest", "ws", "ws_root"} <= set(facts)
        assert facts["symbols"] == ["AAPL", "SPY", "BTC/USD"]
        headers = {"APCA-API-KEY-ID": facts["key"], "APCA-API-SECRET-KEY": facts["secret"]}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(facts["rest"] + "/v2/account") as answer:
                assert (await answer.json())["cash"] == "50000"
            async with session.get(facts["rest"] + "/v2/clock") as answer:
                assert answer.status == 503
            async with session.ws_connect(facts["ws"]):
                process.send_signal(signal.SIGTERM)
                rest, _ = await asyncio.wait_for(process.communicate(), 100)
        assert (process.returncode, rest) == (0, b"")
    finally:
        if process.returncode is None:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("alpca",), "venue 'alpca' is unknown: did you mean 'alpaca'"),
        (("alpaca", "--speed", "-1"), "speed = -1.0"),
        (("alpaca", "--market-open", "nights"), "market-open 'nights' is unknown"),
        (("alpaca", "--symbols", "aapl"), "symbols = 'aapl'"),
        (("alpaca", "--faults", "/nowhere.toml"), "fault file '/nowhere.toml' cannot be read"),
        (("alpaca", "--data", "SPQ"), "data 'SPQ' is unknown: did you mean 'SPY'"),
    ],
)
async def test_bad_usage_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    status, out, err = await run(*arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.strip().splitlines()) == 1


async def test_without_a_venue_it_lists_them() -> None:
    status, out, _ = await run("--json")
    assert status == 0
    assert "alpaca" in json.loads(out)
