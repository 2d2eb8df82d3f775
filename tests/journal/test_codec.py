import math
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import BadValue
from workbench.journal.codec import decode, encode, join
from workbench.model import Bar, Record, Refusal, Sent

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False),
    str: st.text(),
    bytes: st.binary(),
    bool: st.booleans(),
}


def kinds(alias: Any) -> list[type]:
    if isinstance(alias, type):
        return [alias]
    return [kind for part in get_args(getattr(alias, "__value__", alias)) for kind in kinds(part)]


def values(annotation: Any) -> st.SearchStrategy[Any]:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    parts = get_args(annotation)
    if getattr(annotation, "__origin__", None) is tuple:
        if parts[-1] is Ellipsis:
            return st.lists(values(parts[0]), max_size=5).map(tuple)
        return st.tuples(*map(values, parts))
    return st.one_of(*map(values, parts))


def records() -> st.SearchStrategy[Record]:
    def built(kind: type) -> st.SearchStrategy[Any]:
        return st.builds(kind, **{name: values(hint) for name, hint in get_type_hints(kind).items()})

    return st.one_of(*map(built, kinds(Record)))


def test_every_kind_of_record_has_its_own_tag() -> None:
    tags = [kind.__struct_config__.tag for kind in kinds(Record) if issubclass(kind, msgspec.Struct)]
    assert len(tags) == len(set(tags)) >= 32
    assert all(isinstance(tag, int) for tag in tags)


@pytest.mark.parametrize("kind", kinds(Record), ids=lambda kind: kind.__name__)
def test_every_kind_reads_back(kind: type) -> None:
    @given(st.lists(st.builds(kind, **{n: values(h) for n, h in get_type_hints(kind).items()}), max_size=3))
    def law(some: list[Record]) -> None:
        back = decode(join([encode(record) for record in some]))
        assert back == some
        assert [type(record) for record in back] == [kind] * len(some)

    law()


@given(st.lists(records(), max_size=20))
def test_mixed_records_keep_their_order(some: list[Record]) -> None:
    assert decode(join([encode(record) for record in some])) == some


def test_more_records_than_a_short_array_holds() -> None:
    some: list[Record] = [Sent(1, i) for i in range(70_000)]
    assert decode(join([encode(record) for record in some])) == some


def test_nan_survives() -> None:
    (back,) = decode(join([encode(Refusal(1, 1, 1, 1, 1, "NAN", "", (("px", math.nan),)))]))
    assert isinstance(back, Refusal)
    assert math.isnan(back.numbers[0][1])


@pytest.mark.parametrize(
    "record",
    [Sent(1, 1.0), Sent(1, True), Sent(2**70, 1), Bar(1, 0, "1", 1, 1, 1, 1), Sent(1, None)],  # type: ignore[arg-type]
)
def test_what_would_not_read_back_is_refused_by_name(record: Record) -> None:
    with pytest.raises(BadValue, match=type(record).__name__) as caught:
        encode(record)
    assert "\n" not in str(caught.value)
