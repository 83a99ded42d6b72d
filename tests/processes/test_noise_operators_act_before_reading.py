"""Operators act on a draw before it is read; combinations of a draw are those of its values."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    Grid,
    Identity,
    RandomField,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
    wiener_inverse,
)
from inftydiff.operators.local import LocalOperator
from inftydiff.testing.strategies import seeds

BOX = Box((1.0, 1.5))
GRID = Grid((5, 4), BOX)
FINE = Grid((24, 36), BOX)
T, R = gaussian_mollifier(0.2), gaussian_mollifier(0.3)


def draw(seed: int, batch: int = 2) -> RandomField:
    generator = torch.Generator().manual_seed(seed)
    return WhiteNoise(0.5).draw(BOX, batch=batch, channels=2, generator=generator)


def read(field: RandomField, on=GRID) -> torch.Tensor:
    return field(on, dtype=torch.float64).values


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=1e-8)


@given(seed=seeds(), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_linear_combinations_of_images_of_one_draw(seed: int, a: float, b: float):
    xi = draw(seed)
    expected = a * read(T(xi)) + b * read(R(xi))
    close(read((a * T + b * R)(xi)), expected)
    close(read(T(xi) * a + R(xi) * b), expected)
    points = Scattered(GRID.points, domain=BOX)
    close(read((a * T + b * R)(xi), points), expected)


@given(seed=seeds())
def test_the_semigroup_on_fields(seed: int):
    xi = draw(seed)
    both = gaussian_mollifier((0.2**2 + 0.3**2) ** 0.5)
    close(read((T @ R)(xi)), read(both(xi)))
    close(read(T(R(xi))), read(both(xi)))
    close(read(R(T(xi))), read(both(xi)))


@given(seed=seeds())
def test_on_a_grid_that_holds_all_modes_acting_and_reading_commute(seed: int):
    field = R(draw(seed))
    for operator in (T, wiener_inverse(T), 2.0 * T + Identity(), T @ T):
        close(read(operator(field), FINE), operator(field(FINE, dtype=torch.float64)).values)


def test_on_a_coarse_grid_they_do_not():
    field = gaussian_mollifier(0.05)(draw(0))
    acted_first, read_first = read(T(field)), T(field(GRID, dtype=torch.float64)).values
    assert (acted_first - read_first).abs().max() > 0.01 * acted_first.abs().max()


@given(seed=seeds())
def test_one_factor_a_sample(seed: int):
    xi, c = draw(seed), torch.tensor([0.5, -2.0], dtype=torch.float64)
    close(read((T * c)(xi)), c[:, None, None] * read(T(xi)))
    close(read(T(xi) * c), c[:, None, None] * read(T(xi)))
    close(read(xi * c), c[:, None, None] * read(xi))


def test_one_factor_a_sample_for_another_batch_is_refused():
    with pytest.raises(ValueError, match="2 samples.*3 scales"):
        read(T(draw(0)) * torch.ones(3))


@given(seed=seeds())
def test_white_plus_mollified_keeps_the_grid_s_modes(seed: int):
    xi = draw(seed)
    white, field = read(xi), (Identity() + T)(xi)
    assert not field.smooth
    close(read(field), white + T(xi(GRID, dtype=torch.float64)).values)


@given(seed=seeds(), a=st.floats(-2, 2), b=st.floats(-2, 2))
def test_combinations_of_white_noise(seed: int, a: float, b: float):
    xi = draw(seed)
    close(read(xi * a + xi * b), (a + b) * read(xi))


@pytest.mark.parametrize("other", [draw(1), draw(0, batch=3)], ids=["seed", "batch"])
def test_two_draws_are_not_added_before_they_are_read(other):
    with pytest.raises(ValueError, match=r"images of one draw .* got two draws.*add the functions"):
        T(draw(0)) + T(other)
    with pytest.raises(ValueError, match="images of one draw"):
        draw(0) + 1.0


def test_operators_that_are_not_spectral_refuse_a_draw():
    with pytest.raises(TypeError, match="Function"):
        LocalOperator(torch.ones(2, 3, 3), 0.1)(T(draw(0)))


def test_the_cut_off_depends_on_the_operator_alone():
    field = T(draw(0))
    alone = read(field, Grid((1, 1), BOX))
    for shape in ((3, 3), (15, 9), (33, 41)):
        grid = Grid(shape, BOX)
        middle = grid.size // 2
        close(read(field, grid)[:, middle], alone[:, 0])
    assert field.smooth
    assert not draw(0).smooth


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e3, 1e12])
def test_the_cut_off_does_not_depend_on_the_scale(scale: float):
    field, xi = T(draw(0)), draw(0)
    tensor = torch.tensor(scale, dtype=torch.float64)
    for scaled in (field * scale, (scale * T)(xi), T(xi * scale), (T * tensor)(xi)):
        torch.testing.assert_close(read(scaled) / scale, read(field), rtol=0, atol=1e-9)


@given(seed=seeds(), width=st.floats(0.01, 0.5))
def test_the_modes_left_out_are_below_the_tolerance(seed: int, width: float):
    box = Box((1.0,))
    generator = torch.Generator().manual_seed(seed)
    xi = WhiteNoise().draw(box, batch=1, channels=1, generator=generator)
    enough = Grid((max(4, round(12 / width)),), box)
    exact = gaussian_mollifier(width)(xi(enough, dtype=torch.float64)).values
    found = gaussian_mollifier(width)(xi)(enough, dtype=torch.float64).values
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-8)
