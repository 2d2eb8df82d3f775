"""Settings: typed, frozen, read once from `workbench.toml`, then the environment; unknown keys are refused.

Only values live here. Each room takes the section it needs as a plain value; nothing below `config` knows files.
Order of strength: keyword arguments, environment (`WORKBENCH_API__PORT=8801`), `workbench.toml`, defaults.
"""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from workbench.errors import BadInput, BadValue, Refused, UnknownName

__all__ = ["BrokerSettings", "Settings", "home_folder", "load_settings"]

Secret = SecretStr


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ApiSettings(_Section):
    host: str = Field(default="127.0.0.1", description="address the engine listens on")
    port: int = Field(default=0, ge=0, le=65535, description="0 takes a free one")
    extra_hosts: tuple[str, ...] = ()
    extra_origins: tuple[str, ...] = ()


class AccountSettings(_Section):
    name: str = "SIM-1"
    cash: float = Field(default=1_000_000.0, gt=0)
    currency: str = "USD"


class MarketSettings(_Section):
    data: str = "SPY"
    symbols: tuple[str, ...] = ()
    speed: float = Field(
        default=60.0, ge=0, description="replayed seconds per wall second; 0 = as fast as it settles"
    )
    start: str = ""
    end: str = ""
    brokers: tuple[str, ...] = Field(
        default=(), description="accounts under [brokers] that are traded as it happens; none: the recording"
    )
    reconcile_s: float = Field(
        default=15.0, gt=0, description="how often a live desk's books are compared with its brokers'"
    )
    paper: bool = Field(
        default=False,
        description="data as it happens, orders to the built-in exchange: no account is touched",
    )


class SimSettings(_Section):
    """The built-in exchange: its latency (log-normal, microseconds), its costs, its rules."""

    ack_median_us: float = Field(default=400.0, ge=0)
    fill_median_us: float = Field(default=900.0, ge=0)
    sigma: float = Field(default=0.35, ge=0, le=3)
    seed: int = 7
    fee_per_unit: float = Field(default=0.0, ge=0)
    fee_rate: float = Field(default=0.0, ge=0, lt=1)
    fee_per_order: float = Field(default=0.0, ge=0, lt=1e7)
    fees: str = Field(default="", description="a venue's schedule by name instead of the three above")
    fill_at: Literal["next", "close"] = Field(
        default="next", description="next: the first later data; close: market orders at the bar's close"
    )
    arrival: Literal["at_once", "delayed"] = Field(
        default="at_once", description="delayed: quotes and trades earlier than the acceptance fill nothing"
    )
    group: Literal["reduce", "cancel"] = Field(
        default="reduce", description="what a partial fill does to the other orders of its group"
    )
    queue: bool = False
    participation: float = Field(default=0.0, ge=0, le=1)
    slippage: Literal["none", "ticks", "rate", "sqrt"] = "none"
    slippage_amount: float = Field(default=0.0, ge=0)
    account: Literal["unchecked", "cash", "margin"] = "unchecked"
    initial_margin: float = Field(default=0.5, gt=0, le=1)
    maintenance_margin: float = Field(default=0.25, gt=0, le=1)
    maintenance_margin_short: float = Field(default=0.3, gt=0, le=1)
    margin_call: Literal["refuse", "cancel"] = "refuse"
    shorting: bool = True
    not_shortable: tuple[str, ...] = ()
    borrow_rate: float = Field(default=0.0, ge=0, lt=100)
    borrow_rates: dict[str, float] = {}
    debit_rate: float = Field(default=0.0, ge=0, lt=100)
    measured: dict[str, tuple[float, ...]] = Field(
        default={}, description="measured stages: quantiles in microseconds, evenly spaced, by stage"
    )


class JournalSettings(_Section):
    batch_max: int = Field(default=4096, ge=1)
    market_flush_ms: float = Field(default=20.0, ge=0)


class WarehouseSettings(_Section):
    poll_ms: float = Field(default=100.0, gt=0)
    threads: int = Field(default=1, ge=1)
    memory_mb: int = Field(default=512, ge=64)
    row_cap: int = Field(default=5_000_000, ge=1)
    seconds_cap: float = Field(default=10.0, gt=0)


class BrokerSettings(_Section):
    """One account at one venue. Nothing secret: `credentials` says where the keys are."""

    venue: str = Field(description="a folder of workbench/brokers")
    mode: Literal["paper", "live"] = "paper"
    account: str = Field(default="", description="the venue's account id; live trading asks for it")
    credentials: str = Field(default="", description="env:PREFIX, file:NAME or keyring:SERVICE")
    addresses: dict[str, str] = Field(default={}, description="other addresses by name: emulators, gateways")
    limits: dict[str, int] = Field(
        default={}, description="the venue's allowances by name, where yours differ"
    )
    options: dict[str, str | int | float | bool] = Field(default={}, description="the venue's own settings")
    absent_after_s: float = Field(default=30.0, ge=0, description="no order is called absent before")
    absent_times: int = Field(default=3, ge=1, description="nor before it was not found as often")

    @model_validator(mode="after")
    def _armed(self) -> "BrokerSettings":
        if self.mode == "live" and not self.account:
            raise ValueError('live trading needs the account id typed out beside it: account = "..."')
        return self


class Settings(BaseSettings):
    """All settings; `brokers` by a name of your own, `limits` are the names of `workbench.engine.risk.Limits`."""

    model_config = SettingsConfigDict(
        env_prefix="WORKBENCH_", env_nested_delimiter="__", extra="forbid", frozen=True
    )
    name: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="the desk's name")
    api: ApiSettings = ApiSettings()
    account: AccountSettings = AccountSettings()
    market: MarketSettings = MarketSettings()
    sim: SimSettings = SimSettings()
    journal: JournalSettings = JournalSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    brokers: dict[str, BrokerSettings] = {}
    routes: dict[str, str | tuple[str, ...]] = {}
    limits: dict[str, float] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment above the file: the file's values arrive as `init` defaults merged in `load_settings`."""
        return (env_settings, init_settings)


def home_folder() -> Path:
    """Where desks keep their journals, tokens and logs: `WORKBENCH_HOME`, else `.workbench` beside the nearest
    project file above the current folder, else `~/.workbench`. Made private (0700) when missing.

    Raises:
        Refused: it cannot be made.
    """
    named = os.environ.get("WORKBENCH_HOME")
    if named:
        home = Path(named).expanduser().resolve()
    else:
        here = Path.cwd().resolve()
        roots = [
            p for p in (here, *here.parents) if (p / "pyproject.toml").exists() and (p / "workbench").is_dir()
        ]
        home = (roots[0] if roots else Path.home()) / ".workbench"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        text = f"folder '{home}' cannot be made ({error.strerror})"
        raise Refused(f"{text}: set WORKBENCH_HOME to a folder that can be written") from error
    return home


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Settings from `path` (default: `workbench.toml` in the current folder, when there is one), the environment
    and `overrides` (nested dictionaries).

    Raises:
        UnknownName: a key nobody knows, with the nearest right one.
        BadValue: a known key with an impossible value.
        BadInput: the file is missing or is not TOML.
    """
    values: dict[str, Any] = {}
    chosen = path or Path("workbench.toml")
    if path is not None and not path.exists():
        raise BadInput(f"config file '{path}' does not exist: give the path of a TOML file")
    if chosen.exists():
        try:
            values = tomllib.loads(chosen.read_text("utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise BadInput(f"config file '{chosen}' is not valid TOML: {error}") from error
    try:
        return Settings(**_merged(values, overrides))
    except ValidationError as error:
        raise _first_complaint(error) from error


def _merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    out = dict(low)
    for key, value in high.items():
        if isinstance(value, dict):
            inside = out.get(key)
            if inside is None or isinstance(
                inside, dict
            ):  # else the file is wrong there, and will be told so
                out[key] = _merged(inside or {}, value)
        elif value is not None:
            out[key] = value
    return out


def _first_complaint(error: ValidationError) -> BadInput:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        model: Any = Settings
        for part in where[:-1]:
            if part not in model.model_fields:
                continue  # a name of the user's own, as in [brokers.paper]
            annotation = model.model_fields[part].annotation
            inside = get_args(annotation)
            model = inside[-1] if inside else annotation
        return UnknownName(
            "config key", ".".join(where), [".".join([*where[:-1], k]) for k in model.model_fields]
        )
    message = str(first["msg"]).removeprefix("Value error, ").lower()
    if isinstance(
        first.get("input"), dict
    ):  # a section as a whole is wrong: its values would only hide what to do
        return BadInput(f"{'.'.join(where)}: {message}")
    return BadValue(".".join(where), first.get("input"), message)
