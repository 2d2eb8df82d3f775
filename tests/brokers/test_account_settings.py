"""Accounts at venues in the settings: refused before anything connects."""

from pathlib import Path

import pytest

from workbench.brokers.pool import read_credentials
from workbench.config import Settings, load_settings
from workbench.errors import BadInput, BadValue, UnknownName


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "workbench.toml"
    path.write_text(text)
    return load_settings(path)


def test_an_account_is_read(tmp_path: Path) -> None:
    text = '[brokers.paper]\nvenue = "alpaca"\ncredentials = "env:A"\nlimits = { trading = 1000 }\n'
    paper = load(tmp_path, text).brokers["paper"]
    assert (paper.mode, paper.limits, paper.absent_after_s) == ("paper", {"trading": 1000}, 30.0)


@pytest.mark.parametrize(
    ("line", "error", "says"),
    [
        (
            'mod = "live"',
            UnknownName,
            "config key 'brokers.paper.mod' is unknown: did you mean 'brokers.paper.mode'",
        ),
        ("limit = { a = 1 }", UnknownName, "did you mean 'brokers.paper.limits'"),
        ('mode = "demo"', BadValue, "brokers.paper.mode = 'demo'"),
        ('mode = "live"', BadInput, "brokers.paper: live trading needs the account id"),
        ('limits = { trading = "many" }', BadValue, "brokers.paper.limits.trading = 'many'"),
        ("absent_after_s = -1", BadValue, "brokers.paper.absent_after_s = -1"),
        ("absent_times = 0", BadValue, "brokers.paper.absent_times = 0"),
        ('secret = "s3cr3t"', UnknownName, "config key 'brokers.paper.secret' is unknown"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, line: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        load(tmp_path, f'[brokers.paper]\nvenue = "alpaca"\n{line}\n')
    assert says in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_key_ring_that_does_not_answer_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keyring
    from keyring.errors import NoKeyringError

    def nobody(service: str, name: str) -> str:
        raise NoKeyringError("No recommended backend was available.\nInstall one.")

    monkeypatch.setattr(keyring, "get_password", nobody)
    with pytest.raises(BadInput) as caught:
        read_credentials("keyring:alpaca", tmp_path)
    assert str(caught.value) == (
        "the key ring cannot be asked for service 'alpaca' (NoKeyringError): "
        "unlock or install one, or name a secrets file"
    )
