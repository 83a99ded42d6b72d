r"""The distance of a sampler's output to mixture data.

Let the components of a mixture have one covariance, and means that differ along one eigenmode of
the grid and one direction of the channels. The responsibilities depend on the coefficient
:math:`y` along it alone, and the conditional mean of every other coefficient is affine in that
coefficient. So output and data are both products, and

.. math:: W_2^2 = W_2^2(\text{law of } y) + \sum_{k} W_2^2(\text{law of the coefficient } k),

with Gaussian laws in the second sum.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import generator_for, instance
from inftydiff.operators import Function, Grid, Identity
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import described
from inftydiff.processes import Solver, TimeDependentSignal, WhiteNoise
from inftydiff.processes._checks import a_grid, conforming
from inftydiff.processes.sampler import check_decreasing
from inftydiff.processes.spectra import grid_coefficients
from inftydiff.testing._mode_runs import mode_process
from inftydiff.testing._scalar_mixture import ScalarMixture
from inftydiff.testing.oracles import MixtureDenoiser
from inftydiff.testing.oracles._joint import ModalLaw, joint_law
from inftydiff.testing.output_law import output_law

__all__ = ["Line", "mixture_line", "mixture_output_wasserstein"]

SAME = 1e-9
"""The relative difference below which coefficients and variances are the same."""


class Line(NamedTuple):
    """The line along which the means of a mixture differ.

    Args:
        mode: the number of the eigenmode, row-major.
        direction: the unit vector of the channels, of shape ``(channels,)``.
        problem: the coefficient along both.
    """

    mode: int
    direction: Float[Tensor, "channels"]
    problem: ScalarMixture


def mixture_output_wasserstein(
    solver: Solver,
    mixture: MixtureDenoiser,
    *,
    on: Grid,
    times: Float[Tensor, "times"],
    generator: torch.Generator,
) -> float:
    r"""The distance :math:`W_2` of what ``sample`` gives to mixture data, all channels together.

    Args:
        solver: a solver that is linear in states, predictions and the noise that it draws.
        mixture: the exact denoiser, whose components have one covariance and means on the grid
            that differ along one eigenmode of it.
        on: the grid.
        times: the times that the sampler steps through.
        generator: the source of the samples of a solver that has both noise and memory; nothing
            else is drawn.

    Raises:
        TypeError: if an operator is not spectral.
        ValueError: if the components differ in another way, or ``sample`` refuses the times.

    Example:
        >>> import torch
        >>> from inftydiff import CosineSchedule, DiffusionProcess, GaussianMeasure
        >>> from inftydiff import gaussian_mollifier, timesteps
        >>> from inftydiff.processes.solvers import UniPC
        >>> grid, T = Grid((16,)), gaussian_mollifier(0.05)
        >>> process = DiffusionProcess.white(CosineSchedule(), noise=WhiteNoise(0.25))
        >>> one = Function(grid, torch.ones(16, 1, dtype=torch.float64))
        >>> parts = [GaussianMeasure(one * sign, T, WhiteNoise(0.5)) for sign in (1.0, -1.0)]
        >>> mixture = MixtureDenoiser(process, (0.5, 0.5), parts)
        >>> times = timesteps(30, spacing="log_snr", schedule=process.schedule)
        >>> g = torch.Generator().manual_seed(0)
        >>> mixture_output_wasserstein(UniPC(), mixture, on=grid, times=times, generator=g)
        0.0...
    """
    conforming(solver, Solver, "A solver", "Pass DDIM(), say.")
    instance(mixture, MixtureDenoiser, "A mixture")
    a_grid(on)
    check_decreasing(times)
    generator_for(generator, "mixture_output_wasserstein")
    for part in mixture.components:
        if part.mean is not None and part.mean.on != on:
            raise ValueError(
                f"The means live on {described(part.mean.on)}; asked for the law on "
                f"{described(on)}. Interpolate them to it."
            )
    line = mixture_line(mixture, on)
    law = output_law(solver, mixture.process, mixture.components[0], on=on, times=times)
    channels = len(line.direction)
    deviations = (law.variances.sqrt() - law.data_variances.sqrt()).flatten()
    shift = _coefficients(law.mean, on, channels) - _coefficients(law.data_mean, on, channels)
    along = line.direction @ shift[:, line.mode]
    gaussian = channels * deviations.square().sum() - deviations[line.mode] ** 2
    gaussian = gaussian + shift.square().sum() - along**2
    scalar = line.problem.output_wasserstein(solver, times=times, generator=generator)
    return (gaussian + scalar**2).sqrt().item()


def mixture_line(mixture: MixtureDenoiser, on: Grid) -> Line:
    """The one coefficient that is not Gaussian.

    Args:
        mixture: the exact denoiser.
        on: the grid.

    Raises:
        ValueError: if the components have several covariances, or means that differ along more than
            one eigenmode or direction.
    """
    process = mixture.process
    family = isinstance(process.signal, TimeDependentSignal)
    time = torch.zeros(1, dtype=torch.float64)
    signal = Identity() if family else process.signal_at(time)
    law, *others = (joint_law(process, part, signal, on) for part in mixture.components)
    assert isinstance(law, ModalLaw)
    for other in others:
        assert isinstance(other, ModalLaw)
        if not bool(((other.signal - law.signal).abs() <= SAME * law.signal.max()).all()):
            raise ValueError(
                "The law of the output is known for components of one covariance; these differ. "
                "Give all the covariance of the first."
            )
    means = [None if part.mean is None else signal(part.mean) for part in mixture.components]
    channels = max((mean.channels for mean in means if mean is not None), default=1)
    coefficients = torch.stack([_coefficients(mean, on, channels) for mean in means])
    mode, direction = _difference(coefficients)
    spectrum = eigenbasis(on.domain).eigenvalues(on.shape).flatten()
    alone = mode_process(
        process, law.noise.flatten()[mode], spectrum[mode] if family else None, WhiteNoise()
    )
    along = coefficients[:, :, mode] @ direction
    variance = law.signal.flatten()[mode].item()
    return Line(mode, direction, ScalarMixture(alone, tuple(mixture.weights), along, variance))


def _difference(coefficients: Tensor) -> tuple[int, Tensor]:
    """Return where coefficients of shape ``(components, channels, modes)`` differ."""
    differences = coefficients - coefficients[0]
    energies = differences.square().sum((0, 1))
    mode = int(energies.argmax())
    here = differences[:, :, mode]
    furthest = here[here.square().sum(-1).argmax()]
    length = furthest.norm()
    if length == 0.0:
        furthest, length = torch.ones_like(furthest), torch.tensor(len(furthest)).double().sqrt()
    direction = furthest / length
    rest = differences.clone()
    rest[:, :, mode] = here - (here @ direction).unsqueeze(-1) * direction
    if bool((rest.abs() > SAME * coefficients.abs().max()).any()):
        raise ValueError(
            "The law of the output is known for means that differ along one eigenmode of the grid "
            "and one direction of the channels; these differ along more. Take means on one line."
        )
    return mode, direction


def _coefficients(f: Function | None, on: Grid, channels: int) -> Float[Tensor, "channels modes"]:
    if f is None:
        return torch.zeros(channels, on.size, dtype=torch.float64)
    return grid_coefficients(f).reshape(-1, on.size).expand(channels, -1)
