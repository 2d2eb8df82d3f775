"""What the gateway asks before it takes an order: answered by the policy, to the end, or the order is refused."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.brokers.ibkr.desk import POST as ORDERS
from tests.brokers.ibkr.desk import REPLY, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.ibkr.config import Options
from workbench.brokers.ibkr.questions import KNOWN, Policy
from workbench.errors import BadValue, UnknownName
from workbench.model.orders import SELL, STOP
from workbench.model.reports import OutcomeLost, Rejected
from workbench.testbed.call import Answer


def refusal(desk: Desk, order: object) -> Rejected:
    [answer] = desk.of(order)  # type: ignore[arg-type]
    assert isinstance(answer, Rejected)
    return answer


@pytest.mark.parametrize(
    ("said", "kinds", "answer"),
    [
        ("", ["o163"], False),
        ("o163=yes", ["o163"], True),
        ("o163 = yes , o354=yes", ["o163", "o354"], True),
        ("o163=yes", ["o163", "o354"], False),
        ("", ["o10331"], True),
        ("o10331=no", ["o10331"], False),
        ("*=yes", ["o99999"], True),
        ("*=yes", ["o163"], False),
        ("*=yes", [], False),
        ("p4711=yes", ["p4711"], True),
        ("", ["o99999"], False),
    ],
)
def test_answers_by_id(said: str, kinds: list[str], answer: bool) -> None:
    assert Policy(said).answer(kinds) is answer


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        ("o163", BadValue, "write ID=yes or ID=no"),
        ("o163=maybe", BadValue, "write ID=yes or ID=no"),
        ("o163yes", BadValue, "ID=yes"),
        ("q1=yes", UnknownName, "ibkr question"),
        ("o16x=yes", UnknownName, "o163"),
    ],
)
def test_an_impossible_policy_is_refused(said: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Policy(said)


def test_by_default_only_general_warnings_are_agreed_to() -> None:
    assert Policy().agreed() == ["o10151", "o10152", "o10153", "o10331"]
    assert all(text for _, text in KNOWN.values())


async def test_a_chain_of_questions_is_answered_one_after_another(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "workbench.brokers.ibkr.chain")
    options = {"answers": "o163=yes, o354=yes, p12=yes"}
    async with trading(settings={"options": options}) as desk:
        desk.quirk("question", text="o354 p12")
        order = desk.away(0.9)
        await desk.submit(order)
        assert desk.kinds(order) == ["Accepted"]
        assert desk.broker.chain.asked == {"o163": 1, "o354": 1, "p12": 1}
        told = [record.getMessage() for record in caplog.records]
        assert [kind for kind in ("o163", "o354", "p12") if any(kind in line for line in told)] == [
            "o163",
            "o354",
            "p12",
        ]
        assert all(order.client_id in line and line.endswith(": yes") for line in told)


async def test_a_question_answered_with_no_is_a_rejection_that_says_what_was_asked() -> None:
    async with trading(settings={"options": {"answers": ""}}) as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        answer = refusal(desk, order)
        assert answer.code == "QUESTION o163"
        assert "3 % away" in answer.text
        assert "Percentage constraint of 3%" in answer.text
        assert "options.answers = " in answer.text
        assert desk.at_venue(order) == []
        assert desk.broker.pool.snapshot().lost == 0


async def test_one_no_in_a_chain_refuses_the_order() -> None:
    async with trading() as desk:
        desk.quirk("question", text="o354")
        order = desk.away(0.9)
        await desk.submit(order)
        assert refusal(desk, order).code == "QUESTION o354"
        assert desk.broker.chain.asked == {"o163": 1, "o354": 1}
        assert desk.at_venue(order) == []


async def test_a_question_nobody_knows_is_answered_with_no() -> None:
    async with trading() as desk:
        desk.quirk("question", text="o77777")
        order = desk.order()
        await desk.submit(order)
        answer = refusal(desk, order)
        assert (answer.code, "Please confirm o77777" in answer.text) == ("QUESTION o77777", True)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        (["o354"], 'options.answers = "o354=yes"'),
        (["o163", "p77"], 'options.answers = "o163=yes, p77=yes"'),
        (["brand-new"], 'options.answers = "*=yes"'),
        ([], "what has no id cannot be agreed to"),
    ],
)
async def test_a_refusal_names_a_setting_that_agrees_or_says_that_none_does(
    kinds: list[str], words: str
) -> None:
    async with trading(settings={"options": {"answers": ""}}) as desk:
        desk.fault("mutate", ORDERS, count=1, set={"0.messageIds": kinds})
        order = desk.away(0.9)
        await desk.submit(order)
        said = refusal(desk, order).text
        assert words in said
        assert "\n" not in said
        setting = said.partition('options.answers = "')[2].partition('"')[0]
        assert Policy(setting).answer(kinds) is bool(kinds)


async def test_general_warnings_need_no_setting() -> None:
    async with trading(settings={"options": {"answers": ""}}) as desk:
        order = desk.order(SELL, kind=STOP, stop=round(desk.px * 0.95, 2))
        await desk.submit(order)
        assert desk.kinds(order) == ["Accepted"]
        assert desk.broker.chain.asked == {"o10331": 1}


async def test_suppressed_questions_are_not_asked() -> None:
    async with trading(settings={"options": {"suppress": True}}) as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        assert desk.kinds(order) == ["Accepted"]
        assert not desk.broker.chain.asked


async def test_a_no_that_is_not_confirmed_is_no_rejection() -> None:
    """The order may still go live: it is looked for until it is proven absent."""
    async with trading(settings={"options": {"answers": ""}}) as desk:
        desk.fault("status", REPLY, status=503, count=1)
        order = desk.away(0.9)
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Unsent"]
        [lost, _] = desk.of(order)
        assert isinstance(lost, OutcomeLost)
        assert "question o163: whether the answer arrived is not known" in lost.text


async def test_an_answer_that_works_twice_makes_one_order() -> None:
    """The gateway carries the answer out and forgets the question; who answers again hears of no such question."""
    async with trading() as desk:
        desk.fault("twice", REPLY, count=1)
        order = desk.away(0.9)
        await desk.submit(order)
        await until(lambda: desk.kinds(order)[-1:] == ["Accepted"])
        assert desk.kinds(order) == ["OutcomeLost", "Accepted"]
        assert len(desk.at_venue(order)) == 1


async def test_a_question_without_an_id_cannot_be_answered() -> None:
    async with trading() as desk:
        desk.fault("mutate", "rest:POST /v1/api/iserver/account/*", count=1, unset=["id"])
        order = desk.away(0.9)
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Unsent"]


async def test_questions_without_end_are_given_up() -> None:
    async with trading(settings={"options": {"answers": "o163=yes, *=yes"}}) as desk:
        desk.quirk("question", text=" ".join(f"o9{n:03}" for n in range(30)))
        order = desk.order()
        await desk.submit(order)
        assert desk.kinds(order)[0] == "OutcomeLost"
        await desk.over(order)
        assert desk.at_venue(order) == []


async def test_one_order_at_a_time_while_questions_are_asked() -> None:
    """Another submission could release a question's order: each order's questions are over before the next is sent."""
    async with trading() as desk:
        questions, most = desk.ibkr._questions, []
        ask = questions.ask

        def counted(*given: Any) -> Answer:
            answer = ask(*given)
            most.append(len(questions._open))
            return answer

        questions.ask = counted  # type: ignore[method-assign,assignment]
        desk.fault("delay", REPLY, seconds=0.01)
        orders = [desk.away(0.9) for _ in range(8)]
        await desk.submit(*orders)
        assert all(desk.kinds(order) == ["Accepted"] for order in orders)
        assert most == [1, 0] * 8


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the page's table with this first heading, by each name in the first cell."""
    lines = (
        (Path(__file__).parents[3] / "docs" / "brokers.md").read_text("utf-8").partition("## Interactive")[2]
    )
    _, _, rest = lines.partition(f"| {heading} |")
    found = dict[str, list[str]]()
    for line in rest.splitlines()[2:]:
        if not line.startswith("|"):
            break
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        found |= {name.strip(" `"): others for name in first.split(",")}
    return found


def test_the_page_lists_every_question_and_option_with_its_usual_answer() -> None:
    assert {kind: said[0] == "yes" for kind, said in table("question").items()} == {
        kind: answer for kind, (answer, _) in KNOWN.items()
    }
    usual = Options()
    shown = {name: json.loads(said[0].strip("`")) for name, said in table("option").items()}
    assert shown == {name: getattr(usual, name) for name in Options.__struct_fields__}
