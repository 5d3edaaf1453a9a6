"""Histograms: bounds are inclusive, buckets cumulative, and every value is counted."""

from hypothesis import given
from hypothesis import strategies as st

from livelog.operate.metrics import Histogram


def test_a_value_at_a_bound_is_below_it() -> None:
    histogram = Histogram((1.0, 2.5))
    for value in (0.5, 1.0, 1.5, 2.5, 2.6, 100.0):
        histogram.observe(value)
    assert histogram.cumulative() == [("1.0", 2.0), ("2.5", 4.0), ("+Inf", 6.0)]
    assert histogram.total == 108.1


@given(st.lists(st.floats(0, 10)))
def test_every_value_is_counted_once(values: list[float]) -> None:
    histogram = Histogram((1.0, 2.0, 5.0))
    for value in values:
        histogram.observe(value)
    assert histogram.cumulative() == [
        ("1.0", float(sum(value <= 1 for value in values))),
        ("2.0", float(sum(value <= 2 for value in values))),
        ("5.0", float(sum(value <= 5 for value in values))),
        ("+Inf", float(len(values))),
    ]
