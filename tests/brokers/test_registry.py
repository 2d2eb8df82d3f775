"""Brokers are found by folder: adding one edits nothing."""

import sys
from pathlib import Path

import pytest

import workbench.brokers as package
from workbench.brokers import find_brokers, open_broker
from workbench.config import load_settings
from workbench.errors import UnknownName
from workbench.model import to_e8


def test_a_new_folder_is_a_new_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "paperhouse"
    folder.mkdir()
    (folder / "__init__.py").write_text("def open_broker(settings):\n    return ('opened', settings.name)\n")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    assert "paperhouse" in find_brokers()
    opened: object = open_broker("paperhouse", load_settings())
    assert opened == ("opened", "default")
    monkeypatch.delitem(sys.modules, "workbench.brokers.paperhouse")


async def test_settings_reach_the_exchange() -> None:
    settings = load_settings(account={"cash": 500.0}, sim={"fee_per_unit": 0.01})
    account = await open_broker("sim", settings).account()
    assert (account.cash_e8, account.positions, account.open_orders) == (to_e8(500), {}, ())


def test_an_unknown_broker_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="broker 'simm' is unknown: did you mean 'sim'"):
        open_broker("simm", load_settings())
