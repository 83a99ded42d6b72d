"""The empirical covariance of draws is the covariance, within five standard deviations."""

import pytest
import torch

from inftydiff import (
    Box,
    Grid,
    Identity,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
    wiener_inverse,
)

BOXES = [
    Box((1.0, 1.5)),
    Box((1.0, 1.5), "periodic"),
    Box((1.0, 1.5), "absorbing"),
    Box((1.0, 1.5), ("absorbing", "periodic")),
]
T = gaussian_mollifier(0.12)
SMOOTH = {"T": T, "T T": T @ T, "2 T": 2.0 * T, "Wiener": wiener_inverse(T)}
WHITE = {"I": Identity(), "T + I/2": T + 0.5 * Identity()}


def discretisations(box: Box) -> tuple[Grid, Subset, Scattered]:
    grid = Grid((4, 3), box)
    subset = Subset(grid, torch.tensor([0, 2, 11, 5]))
    return grid, subset, Scattered(grid.points * 0.9, domain=box)


def check(operator, on, *, batch: int, channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    draw = WhiteNoise(0.3).draw(on.domain, batch=batch, channels=channels, generator=generator)
    field = operator(draw)
    draws = field(on, dtype=torch.float64).values.movedim(-1, 0).flatten(0, 1)
    exact = field.covariance(on)
    variances = exact.diagonal()
    spread = ((torch.outer(variances, variances) + exact**2) / len(draws)).sqrt()
    assert ((draws.T @ draws / len(draws) - exact).abs() < 5 * spread).all()
    assert (draws.mean(0).abs() < 5 * (variances / len(draws)).sqrt()).all()


@pytest.mark.thorough
@pytest.mark.parametrize("name", [*SMOOTH, *WHITE])
@pytest.mark.parametrize("box", BOXES, ids=lambda box: str(box.boundary))
def test_channels_on_a_grid(name: str, box: Box):
    grid, subset, _ = discretisations(box)
    check({**SMOOTH, **WHITE}[name], grid, batch=2, channels=5_000)
    check({**SMOOTH, **WHITE}[name], subset, batch=2, channels=5_000)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("box", BOXES, ids=lambda box: str(box.boundary))
def test_channels_at_scattered_points(name: str, box: Box):
    check(SMOOTH[name], discretisations(box)[2], batch=2, channels=5_000)


@pytest.mark.parametrize("operator", [Identity(), T], ids=["I", "T"])
def test_samples_on_a_grid(operator):
    check(operator, discretisations(BOXES[0])[0], batch=2_000, channels=1)


def test_samples_and_channels_are_independent():
    generator = torch.Generator().manual_seed(1)
    draw = WhiteNoise().draw(Box((1.0,)), batch=3, channels=2, generator=generator)
    n = 40_000
    values = draw(Grid((n,)), dtype=torch.float64).values / n**0.5
    flat = values.movedim(1, -1).flatten(0, 1)
    correlation = flat @ flat.T / n - torch.eye(6, dtype=torch.float64)
    assert correlation.abs().max() < 5 * (2 / n) ** 0.5
