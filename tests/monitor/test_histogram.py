import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import BadValue
from workbench.monitor.histogram import N_BUCKETS, Histogram, bucket_of, bucket_range

durations = st.one_of(
    st.integers(0, 200),
    st.integers(0, 10**6),
    st.integers(0, 10**11),
    st.integers(0, 1 << 36).map(lambda n: n | 1),
)
many = st.lists(durations, max_size=200)


def of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def test_buckets_tile_the_range_without_gap_or_overlap() -> None:
    next_low = 0
    for bucket in range(N_BUCKETS):
        low, high = bucket_range(bucket)
        assert low == next_low
        assert bucket_of(low) == bucket_of(high) == bucket
        assert (high - low) / 2 <= 0.016 * max(low, 1)
        next_low = high + 1
    assert next_low > 10**11


@given(many, many)
def test_merge_is_union(a: list[int], b: list[int]) -> None:
    assert of(a).merge(of(b)) == of(a + b)
    assert Histogram.merged([of(a), of(b)]) == of(b + a)


@given(many)
def test_batch_equals_one_by_one(values: list[int]) -> None:
    as_list, as_array = Histogram(), Histogram()
    as_list.record_many(values * 3)
    as_array.record_many(np.array(values * 3, np.int64))
    assert as_list == as_array == of(values * 3)


@given(st.lists(durations, min_size=1, max_size=300), st.floats(0, 100))
def test_percentile_is_within_two_percent_of_numpy(values: list[int], q: float) -> None:
    exact = float(np.percentile(values, q, method="inverted_cdf"))
    seen = of(values).percentile(q)
    assert abs(seen - exact) <= 0.02 * exact


@given(st.lists(durations, min_size=1, max_size=300), durations)
def test_share_over_is_exact_but_for_the_limits_own_bucket(values: list[int], limit: int) -> None:
    seen = of(values).share_over(limit)
    low, high = bucket_range(bucket_of(limit))
    assert sum(v > high for v in values) / len(values) - 1e-12 <= seen
    assert seen <= sum(v >= low for v in values) / len(values) + 1e-12
    assert of(values).share_over(max(values)) == 0.0


@given(many)
@settings(max_examples=50)
def test_bytes_round_trip(values: list[int]) -> None:
    histogram = of(values)
    again = Histogram.from_bytes(histogram.to_bytes())
    assert again == histogram
    again.record(1)
    assert again != histogram


@pytest.mark.parametrize("cut", [0, 3, 20, 33])
def test_cut_or_foreign_bytes_are_refused(cut: int) -> None:
    data = of([1, 10, 100]).to_bytes()
    with pytest.raises(BadValue, match="to_bytes"):
        Histogram.from_bytes(data[:cut])
    with pytest.raises(BadValue, match="to_bytes"):
        Histogram.from_bytes(b"xxxx" + data[4:])


def test_counts_that_do_not_add_up_are_refused() -> None:
    data = bytearray(of([1, 10, 100]).to_bytes())
    data[8] += 1
    with pytest.raises(BadValue, match="observations"):
        Histogram.from_bytes(bytes(data))


def test_negative_durations_are_refused_and_nothing_is_counted() -> None:
    histogram = Histogram()
    with pytest.raises(BadValue, match="-5"):
        histogram.record(-5)
    with pytest.raises(BadValue, match="-5"):
        histogram.record_many([3, -5])
    with pytest.raises(BadValue, match="-5"):
        histogram.record_many(np.array([3, -5]))
    with pytest.raises(BadValue, match="integers"):
        histogram.record_many(np.array([0.5]))
    assert histogram == Histogram()


def test_empty_says_nan_and_percentages_are_checked() -> None:
    histogram = Histogram()
    assert np.isnan(histogram.percentile(50))
    assert np.isnan(histogram.mean_ns)
    assert histogram.share_over(5) == 0.0
    with pytest.raises(BadValue, match="from 0 to 100"):
        histogram.percentile(101)


def test_longer_than_the_top_bucket_keeps_an_exact_maximum() -> None:
    histogram = of([10**15, 5])
    assert histogram.max_ns == 10**15
    assert histogram.percentile(100) == 10**15
