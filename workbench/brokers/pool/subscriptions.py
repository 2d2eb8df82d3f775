"""What a stream shall carry: declared once, asked for again after every reconnect, believed when data arrives.

    wanted -> asked -> confirmed -> live (data came); stale (none came for too long while the venue is open)

Lives here: the ledger. Not here: the connection (stream.py), how a venue is asked (its feed.py).
"""

from collections.abc import Callable, Iterable
from time import monotonic

__all__ = ["Ledger", "Subscription"]


def _always() -> bool:
    return True


class Subscription:
    """One channel. `most_age_s` is how old its newest data may be while `in_session()`; 0: silence is no fault."""

    __slots__ = ("asked_s", "channel", "confirmed", "in_session", "most_age_s", "seen_s", "was_open")

    def __init__(self, channel: str, most_age_s: float, in_session: Callable[[], bool]) -> None:
        self.channel, self.most_age_s, self.in_session = channel, most_age_s, in_session
        self.asked_s = self.seen_s = 0.0
        self.confirmed = False
        self.was_open = False


class Ledger:
    """The declared channels and what is known of each since the last connect. Deadlines are monotonic seconds."""

    def __init__(self, *, confirm_s: float = 10.0, clock: Callable[[], float] = monotonic) -> None:
        self.channels: dict[str, Subscription] = {}
        self._confirm_s, self._clock = confirm_s, clock

    def declare(
        self, channels: Iterable[str], most_age_s: float = 0.0, in_session: Callable[[], bool] = _always
    ) -> list[str]:
        """Want these; returns those that are new."""
        new = [channel for channel in dict.fromkeys(channels) if channel not in self.channels]
        for channel in new:
            self.channels[channel] = Subscription(channel, most_age_s, in_session)
        return new

    def withdraw(self, channels: Iterable[str]) -> list[str]:
        """Want these no longer; returns those that were wanted."""
        return [
            channel for channel in dict.fromkeys(channels) if self.channels.pop(channel, None) is not None
        ]

    def reset(self) -> list[str]:
        """A new connection knows nothing: everything is to be asked for again."""
        for one in self.channels.values():
            one.asked_s = one.seen_s = 0.0
            one.confirmed = one.was_open = False
        return list(self.channels)

    def asked(self, channels: Iterable[str]) -> None:
        """The venue was asked for these now."""
        now_s = self._clock()
        for channel in channels:
            if channel in self.channels:
                self.channels[channel].asked_s = now_s

    def confirmed(self, channels: Iterable[str]) -> None:
        """The venue says it sends these."""
        for channel in channels:
            if channel in self.channels:
                self.channels[channel].confirmed = True

    def seen(self, channel: str) -> None:
        """Data of this channel came."""
        one = self.channels.get(channel)
        if one is not None:
            one.seen_s = self._clock()
            one.confirmed = True

    @property
    def unconfirmed(self) -> int:
        """Channels asked for that the venue has neither confirmed nor served."""
        return sum(1 for one in self.channels.values() if not one.confirmed)

    def complaint(self) -> str | None:
        """What is wrong now, if anything: the first channel without a confirmation in time, or silent in session."""
        now_s = self._clock()
        for one in self.channels.values():
            if one.asked_s and not one.confirmed and now_s - one.asked_s > self._confirm_s:
                return f"{one.channel} was asked for {now_s - one.asked_s:.0f} s ago and is not confirmed"
            if one.most_age_s:
                is_open = one.in_session()
                if is_open and not one.was_open:
                    one.seen_s = max(one.seen_s, now_s)  # silence counts from the opening
                one.was_open = is_open
                if is_open and now_s - one.seen_s > one.most_age_s:
                    return f"{one.channel} is silent for {now_s - one.seen_s:.0f} s"
        return None
