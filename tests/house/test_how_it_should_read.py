"""The library reads as designed: train on a quarter of the points, sample anywhere, extend."""

from dataclasses import dataclass

import pytest
import torch

from inftydiff import (
    DDIM,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    LinearOperator,
    NoisePrediction,
    WhiteNoise,
    as_denoiser,
    denoising_loss,
    gaussian_mollifier,
    random_subset,
    sample,
    timesteps,
    wiener_inverse,
)
from inftydiff.models import MultiscaleNetwork, tiny
from inftydiff.testing import laws_for


def test_train_on_a_quarter_of_the_coordinates_and_sample_anywhere():
    g = torch.Generator().manual_seed(0)
    model = MultiscaleNetwork(tiny(), 3)
    images = 2 * torch.rand(2, 3, 64, 64, generator=g) - 1
    t = torch.rand(len(images), generator=g)

    grid = Grid((64, 64))
    T = gaussian_mollifier(width=1 / 64)
    process = DiffusionProcess(
        CosineSchedule(), signal=T, noise_factor=T, noise=WhiteNoise(intensity=1 / 64)
    )

    # train on a random quarter of the coordinates
    x0 = Function.from_image(images)
    c = random_subset(grid, grid.size // 4, batch=len(images), generator=g)
    denoiser = as_denoiser(process, model, predict=NoisePrediction(), clip=(-1, 1))
    loss = denoising_loss(denoiser, x0, t, at=c, generator=g)

    assert loss.shape == (2,)
    loss.mean().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert any(gradient.abs().sum() > 0 for gradient in gradients)

    # sample anywhere
    model.eval()
    x = sample(
        DDIM(), denoiser, on=Grid((128, 128)), times=timesteps(2), batch=2, channels=3, generator=g
    )
    image = wiener_inverse(T)(x).to_image()

    assert image.shape == (2, 3, 128, 128)
    assert image.isfinite().all()


@dataclass(frozen=True)
class MyOperator(LinearOperator):
    """The mean over all points closer than a radius, each counted with its quadrature weight."""

    radius: float

    def __call__(self, f):
        if not isinstance(f, Function):
            raise TypeError(f"MyOperator acts on a Function; got {type(f).__name__}.")
        return Function(f.on, self._near(f) @ f.values)

    @property
    def adjoint(self):
        return MyAdjoint(self)

    def _near(self, f: Function) -> torch.Tensor:
        points = f.on.points.to(f.values)
        near = (torch.cdist(points, points) < self.radius) * f.weights.unsqueeze(-2)
        return near / near.sum(-1, keepdim=True)


@dataclass(frozen=True)
class MyAdjoint(LinearOperator):
    """The adjoint of the mean, W⁻¹ Aᵀ W."""

    of: MyOperator

    def __call__(self, f):
        weights = f.weights.unsqueeze(-1)
        return Function(f.on, (self.of._near(f).mT @ (weights * f.values)) / weights)

    @property
    def adjoint(self):
        return self.of


@pytest.mark.parametrize("law", laws_for(MyOperator(radius=0.3)))
def test_my_operator(law):
    law()
