"""Answering what the gateway asks before it takes an order: one question after another, each logged.

Lives here: the chain, and what its end proves. Not here: the policy (questions.py), sending orders (broker.py).
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

from workbench.brokers.ibkr.client import IbkrClient
from workbench.brokers.ibkr.parse import PlacedRow
from workbench.brokers.ibkr.questions import Policy
from workbench.brokers.ibkr.words import VENUE
from workbench.errors import OutcomeUnknown, Refused, Retryable, VenueRefused

__all__ = ["Chain", "failed", "taken"]

logger = logging.getLogger(__name__)

_LONGEST: Final = 20
_FAILED: Final = ("Failed", "Rejected")


class Chain:
    """The questions of one account. `asked` counts them by id."""

    def __init__(self, client: IbkrClient, policy: Policy) -> None:
        self._client, self._policy = client, policy
        self.asked: Counter[str] = Counter()

    async def answered(self, rows: list[PlacedRow], lane: int, client_id: str) -> list[PlacedRow]:
        """Answer until nothing is asked any more; the rows then.

        Raises:
            VenueRefused: the policy says no, and the venue has discarded the order. OutcomeUnknown: an answer did not
                arrive for sure; the order may still go live.
        """
        for _ in range(_LONGEST):
            question = next((row for row in rows if row.message is not None), None)
            if question is None:
                return rows
            kinds, text = question.messageIds or [], " ".join(question.message or ())
            yes = self._policy.answer(kinds)
            self.asked.update(kinds or ["?"])
            logger.info("ibkr: %s is asked about %s (%s): %s", client_id, kinds, text, "yes" if yes else "no")
            rows = await self._reply(question, yes, lane, kinds, text)
        raise OutcomeUnknown(f"{VENUE}: more than {_LONGEST} questions about {client_id}: it is looked for")

    async def _reply(
        self, question: PlacedRow, yes: bool, lane: int, kinds: Sequence[str], text: str
    ) -> list[PlacedRow]:
        asked = f"{VENUE}: question {', '.join(kinds) or 'without an id'}"
        if not question.id:
            raise OutcomeUnknown(f"{asked} cannot be answered: the order is looked for")
        try:
            rows = await self._client.reply(question.id, yes, lane)
        except VenueRefused as error:
            if "not found" in error.said:
                raise OutcomeUnknown(f"{asked} was closed meanwhile: the order is looked for") from error
            if yes:
                raise
            raise self._declined(kinds, text) from error
        except (OutcomeUnknown, Retryable, Refused) as error:
            raise OutcomeUnknown(f"{asked}: whether the answer arrived is not known ({error})") from error
        if not yes:
            raise OutcomeUnknown(f"{asked} was answered with no, and something came of it: it is looked for")
        return rows

    def _declined(self, kinds: Sequence[str], text: str) -> VenueRefused:
        about = self._policy.about(kinds)
        said = f"{about}; it asks: {text}" if about else f"it asks: {text}"
        if kinds:
            advice = f'the answer is no; to go on set options.answers = "{self._policy.words(kinds)}"'
        else:
            advice = (
                "the answer is no: what has no id cannot be agreed to; change the order, or send it by hand"
            )
        return VenueRefused(VENUE, said, advice, code=f"QUESTION {', '.join(kinds) or '?'}")


def taken(rows: Sequence[PlacedRow], otherwise: str) -> str:
    """The number of the order that an answer says was taken in; `otherwise` is what holds when it was not.

    Raises:
        VenueRefused: it was refused. OutcomeUnknown: the answer says neither.
    """
    row = rows[0] if rows else PlacedRow()
    if failed(row):
        raise VenueRefused(
            VENUE, row.text or row.error or "refused without a reason", otherwise, code="FAILED"
        )
    if row.order_id is None:
        raise OutcomeUnknown(
            f"{VENUE}: the answer to an order does not name one: the venue is asked about it"
        )
    return str(row.order_id)


def failed(row: PlacedRow) -> bool:
    """Whether a row says that its order was not taken in."""
    return (
        row.order_status in _FAILED
        or str(row.order_id) == "-1"
        or (row.order_id is None and row.error is not None)
    )
