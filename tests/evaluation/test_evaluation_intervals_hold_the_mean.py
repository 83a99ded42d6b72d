"""The bootstrap's standard deviation is that of new pictures, or up to two and a half times it.

It is too wide where the distance has no linear part, as between two sets of one law, and never too
narrow: an interval holds the estimator's mean at least as often as it says.
"""

import pytest
import torch

from inftydiff.evaluation import Estimate, compare, frechet_distance, kernel_distance

ROWS, OTHERS, FEATURES, RUNS = 40, 60, 12, 150


def draw(rows, shift, generator):
    scale = torch.arange(1, FEATURES + 1, dtype=torch.float64) ** -0.5
    x = torch.randn(rows, FEATURES, generator=generator, dtype=torch.float64)
    return x * scale + shift


@pytest.mark.thorough
@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_widths(generator, shift):
    values, estimates = [], []
    for run in range(RUNS):
        a, b = draw(ROWS, shift, generator), draw(OTHERS, 0.0, generator)
        values.append((frechet_distance(a, b), kernel_distance(a, b)))
        if run < 20:
            estimates.append(compare(a, b, generator=generator, level=0.6826895))
    spread = torch.tensor(values).std(0)

    def half(estimate: Estimate) -> float:
        return (estimate.high - estimate.low) / 2

    for found, true in (
        (sum(half(e.frechet) for e in estimates) / 20, spread[0].item()),
        (sum(half(e.kernel) for e in estimates) / 20, spread[1].item()),
    ):
        assert 0.8 * true < found < 2.5 * true


def test_an_interval_is_around_the_estimate_and_grows_with_the_level(generator):
    a, b = draw(ROWS, 0.5, generator), draw(OTHERS, 0.0, generator)
    state = generator.get_state()
    narrow = compare(a, b, generator=generator, level=0.5)
    wide = compare(a, b, generator=generator.set_state(state), level=0.99)
    for one, other, value in (
        (narrow.frechet, wide.frechet, frechet_distance(a, b)),
        (narrow.kernel, wide.kernel, kernel_distance(a, b)),
    ):
        assert one.value == other.value == value
        assert other.low < one.low < value < one.high < other.high
        assert other.high - value == pytest.approx((one.high - value) * 2.5758293 / 0.6744898)


def test_the_same_generator_gives_the_same_interval():
    a = draw(10, 0.0, torch.Generator().manual_seed(0))
    found = [compare(a, a + 1.0, generator=torch.Generator().manual_seed(5)) for _ in range(2)]
    assert found[0] == found[1]
