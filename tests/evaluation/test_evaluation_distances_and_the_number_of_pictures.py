"""The kernel distance is unbiased at every number of pictures; the Fréchet distance is not."""

from itertools import pairwise

import torch

from inftydiff.evaluation import frechet_distance, kernel_distance

RUNS = 400


def gaussians(rows, generator, shift=0.0):
    return torch.randn(rows, 4, generator=generator, dtype=torch.float64) + shift


def kernel_mean(shift):
    """E k(x, y) for independent x ~ N(s1, I), y ~ N(0, I), minus both sides', over 4 features.

    Given y, x·y/4 + 1 is Gaussian; E z³ = m³ + 3 m v, and moments of y follow by quadrature over
    the same Gaussians in the other route: here the sum over monomials is done by hand.
    E (1 + x·y/4)³ = 1 + 3 E(x·y)/4 + 3 E(x·y)²/16 + E(x·y)³/64.
    """

    def moments(s, r):  # E (x·y)^p, p = 1, 2, 3, of N(s1, I) and N(r1, I) in four dimensions
        one, two, three = (
            (s * r),
            (s**2 + 1) * (r**2 + 1),
            (s**3 + 3 * s) * (r**3 + 3 * r),
        )
        first = 4 * one
        second = 4 * two + 12 * one**2
        third = 4 * three + 36 * two * one + 24 * one**3
        return 1 + 3 * first / 4 + 3 * second / 16 + third / 64

    return moments(shift, shift) + moments(0.0, 0.0) - 2 * moments(shift, 0.0)


def test_the_mean_of_the_kernel_distance_is_the_distance_of_the_laws(generator):
    for shift in (0.0, 0.4):
        for n, m in ((3, 5), (20, 40)):
            values = torch.tensor(
                [
                    kernel_distance(gaussians(n, generator, shift), gaussians(m, generator))
                    for _ in range(RUNS)
                ]
            )
            error = values.std() / RUNS**0.5
            assert (values.mean() - kernel_mean(shift)).abs() < 5 * error
            assert values.min() < 0 or shift > 0


def test_the_frechet_distance_of_one_law_falls_as_the_sets_grow(generator):
    means = []
    for rows in (10, 20, 40, 80):
        values = [
            frechet_distance(gaussians(rows, generator), gaussians(rows, generator))
            for _ in range(50)
        ]
        means.append(sum(values) / len(values))
    assert all(0.3 * a < b < 0.7 * a for a, b in pairwise(means))
