"""Which account of the settings is meant, and whether it may trade real money.

Lives here: choosing and arming. Not here: the settings' shape (config.py), keys (credentials.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.config import BrokerSettings, home_folder
from workbench.errors import Refused, UnknownName

if TYPE_CHECKING:
    from workbench.config import Settings

__all__ = ["account_of", "secrets_folder"]


def account_of(settings: "Settings", venue: str, name: str = "") -> tuple[str, BrokerSettings]:
    """The account called `name` under `[brokers]`, or the first one at `venue`; without any, a paper account whose keys
    are in the environment under the venue's name.

    Raises:
        UnknownName: no account of that name. Refused: it is at another venue, or it is live and nothing limits it.
    """
    if name:
        if name not in settings.brokers:
            raise UnknownName("account", name, settings.brokers, "Accounts stand under [brokers]")
        found = settings.brokers[name]
        if found.venue != venue:
            raise Refused(f"account '{name}' is at '{found.venue}', not at '{venue}': name another account")
    else:
        at_venue = [(key, value) for key, value in settings.brokers.items() if value.venue == venue]
        if not at_venue:
            return venue, BrokerSettings(venue=venue, credentials=f"env:{venue.upper()}")
        name, found = at_venue[0]
    if found.mode == "live" and not settings.limits:
        raise Refused(
            f"account '{name}' is live and no risk limit is set: set [limits] before real money is traded"
        )
    return name, found


def secrets_folder() -> Path:
    """Where credentials of the form file:NAME are: `secrets` in the home folder (it is not made here)."""
    return home_folder() / "secrets"
