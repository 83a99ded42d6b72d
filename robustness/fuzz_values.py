# ruff: noqa: E501 -- tables of expressions
"""Small good values for examples of calls, and hostile ones in their place.

Both are written as Python expressions in one namespace, so that a finding is one line of code.
"""

import importlib
import math
import random
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

__all__ = ["PACKAGES", "namespace"]

PACKAGES = (
    "inftydiff",
    "inftydiff.operators",
    "inftydiff.processes",
    "inftydiff.models",
    "inftydiff.pipelines",
    "inftydiff.training",
    "inftydiff.data",
    "inftydiff.evaluation",
    "inftydiff.testing",
)
"""Whose ``__all__`` is the public surface."""


def g(seed: int = 0, device: str = "cpu") -> torch.Generator:
    """A new generator."""
    return torch.Generator(device).manual_seed(seed)


def rand(*shape: int, seed: int = 1) -> torch.Tensor:
    """Values between -1 and 1."""
    return 2 * torch.rand(*shape, generator=g(seed)) - 1


@dataclass(frozen=True)
class Stranger:
    """An object of no kind that the library knows."""

    name: str = "stranger"


class Timed(torch.nn.Module):
    """A network of pictures and times."""

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return x * t.reshape(-1, 1, 1, 1)


class Rows:
    """The part of a table of the Hub that is read."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    @property
    def column_names(self) -> list[str]:
        return ["image"]

    def select_columns(self, column_names: Any) -> "Rows":
        return self

    def with_format(self, type: Any = None) -> "Rows":
        return self

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> dict[str, Any]:
        return {"image": self.rows[key]}


def namespace(scratch: Path) -> dict[str, Any]:
    """Names for expressions: all that is public, good values and hostile ones.

    Args:
        scratch: an empty folder for files.
    """
    names: dict[str, Any] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        names |= {name: getattr(module, name) for name in module.__all__}
        names[package.rpartition(".")[2]] = module
    names |= dict(  # noqa: C408 -- each by its own name
        g=g, rand=rand, torch=torch, np=np, math=math, Path=Path, replace=replace, random=random,
        Fraction=Fraction, Stranger=Stranger, Rows=Rows, Timed=Timed, nan=math.nan, inf=math.inf,
        scratch=scratch, SimpleNamespace=SimpleNamespace,
    )  # fmt: skip
    for block in (MATHEMATICS, LEARNING, FILES, HOSTILE):
        for line in filter(None, map(str.strip, block.splitlines())):
            exec(line, names)  # in order, so that a value is made from those above
    return names


MATHEMATICS = """
box = Box((1.0, 1.0)); thin = Box((1.0, 0.5)); absorbing = Box((1.0, 1.0), "absorbing")
grid = Grid((4, 4)); fine = Grid((8, 8)); line = Grid((8,)); walls = Grid((4, 4), absorbing)
scattered = Scattered(rand(5, 2).abs()); sub = Subset(grid, torch.tensor([0, 3, 5, 9]))
subs = Subset(grid, torch.tensor([[0, 3, 5], [1, 2, 4]]))
x0 = Function(grid, rand(2, 16, 3)); y0 = Function(grid, rand(2, 16, 3, seed=2))
one = Function(grid, rand(2, 16, 1)); wave = Function(line, rand(2, 8, 1)); xf = Function(fine, rand(2, 64, 3))
t = torch.tensor([0.4, 0.7]); s = torch.tensor([0.1, 0.3]); times = torch.tensor([1.0, 0.6, 0.3, 0.1])
to_zero = torch.tensor([1.0, 0.6, 0.3, 0.0])
T = gaussian_mollifier(0.1); R = wiener_inverse(T); M = matern(1.5, 0.2, dim=2)
heat = HeatMultiplier(0.1); noise = WhiteNoise(0.25); schedule = CosineSchedule()
process = DiffusionProcess.mollified(schedule, T, noise=noise)
white = DiffusionProcess.white(schedule, noise=noise)
smooth = DiffusionProcess.noise_only(schedule, M, noise=noise)
blurring = DiffusionProcess.blurring(schedule, Blurring(0.1), noise=noise)
measure = GaussianMeasure(None, M, WhiteNoise()); other = GaussianMeasure(None, T, WhiteNoise())
field = noise.draw(box, batch=2, channels=3, generator=g())
denoiser = GaussianDenoiser(process, measure); wdenoiser = GaussianDenoiser(white, measure)
prediction = denoiser(x0, t)
damped = lambda x, t: x * 0.1
mask = torch.tensor([[True, False] * 2] * 4)
reads = known_points(mask, on=grid)
observation = Observation(reads, reads(x0), 0.1)
known = Observation(reads, reads(x0))
alpha = schedule.alpha(t); sigma = schedule.sigma(t)
near = neighbours(grid, size=3, cell=0.25)
spectrum = empirical_spectrum(x0)
state = State(0.4, x0, prediction)
past = Past(t, x0, x0, y0)
budget = error_budget(T, R, data=measure, on=grid)
risk = deconvolution_risk(T, R, data=measure, error=other)
bound = EvidenceBound(rand(2).abs(), rand(2).abs(), rand(3, 2).abs())
particles = Particles(Function(grid, rand(2, 4, 16, 3)), rand(2, 4), rand(3, 2).abs() + 1)
equation = ProbabilityFlowODE(wdenoiser); whitened = Whitened(equation, grid)
conditioned = measure.condition(Function(sub, rand(4, 1)), noise_std=0.1)
basis = eigenbasis(box)
guide_of = ReconstructionGuidance()
guided_denoiser = GuidedDenoiser(PiGDM(), wdenoiser, observation)
linearised = guided_denoiser.linearised(x0, t)
asymptote = heat.asymptote
mixture = MixtureDenoiser(white, (0.5, 0.5), (measure, other))
alike = MixtureDenoiser(white, (0.5, 0.5), tuple(GaussianMeasure(Function(grid, torch.full((16, 1), v)), M, WhiteNoise()) for v in (1.0, -1.0)))
probe = Probe(grid, 2, 3, torch.float32, 0)
law = laws_for(T)[0]
average = KernelSmoother(scattered, grid, 0.3); nearest = NearestNeighbours(scattered, grid)
cells = CellAverages(fine, grid); interpolation = Interpolation(grid, scattered)
restriction = Restriction(grid, sub); local = LocalOperator(rand(3, 3, 3), 0.25)
integrals = Integrals(grid, rand(3, 16)); evaluation = point_values(scattered, on=grid)
output = output_law(DDIM(), white, measure, on=grid, times=times)
pointwise = PointwiseLaw(rand(16).abs(), rand(16).abs())
"""

LEARNING = """
config = preset("tiny", resolution=8); pipe = InftyDiff(config).eval()
latent_config = replace(config, latent=5, prior=LatentPriorConfig(width=12, layers=2, condition=2))
ae = InftyDiff(latent_config).eval(); ae.prior.fit(rand(20, 5))
net = MultiscaleNetwork(config.network, 3).eval(); big = Grid((16, 16)); p0 = Function(Grid((8, 8)), rand(2, 64, 3))
codes = rand(2, 5); cond = torch.eye(2)
pictures = Images((rand(16, 3, 8, 8) * 127 + 128).to(torch.uint8))
settings = TrainConfig(max_steps=1, batch_size=2, precision="float32", warmup=1)
train_prior_config = LatentPriorConfig(width=12, layers=2)
unet = UNet(32, 16); descent = DownPath(32, 16); encoder = Encoder(config.network, 3, 5).eval()
block = LocalBlock(4, 16, size=3); norm = AdaptiveLayerNorm(4, 16); clocked = TimeEmbedding(16)
embedding = LatentEmbedding(5, 16); lifted = GridNetwork(Timed())
latent_prior = SkipMLP(5, train_prior_config).eval(); code = DiagonalGaussian(codes, codes)
tiles = TiledNetwork(net, (8, 8)); scale = FieldScale({"u": (-1.0, 1.0)})
lite = EfficientNetLite0(32)
est = Estimate(1.0, 0.5, 1.5); far = Distances(est, est)
class Means: name = "means"; __call__ = lambda self, images: images.mean((-2, -1))
"""

FILES = """
run_folder = scratch / "run"; model_folder = scratch / "model"; picture_folder = scratch / "pictures"
array_file = scratch / "pictures.npy"; np.save(array_file, pictures.pixels.numpy())
picture_folder.mkdir(); from PIL import Image as Pillow
[Pillow.fromarray(p.permute(1, 2, 0).numpy()).save(picture_folder / f"{i}.png") for i, p in enumerate(pictures.pixels)]
pipe.save_pretrained(model_folder)
train(config, pictures, pictures, settings, run_folder, progress=False)
checkpoint = latest(run_folder)
folder = ImageFolder(picture_folder, 4, progress=False); array = ImageArray(array_file)
fields_array = np.random.default_rng(0).normal(size=(3, 4, 4)); fields = field_array(fields_array)
ffhq_root = scratch / "ffhq"; celeba_root = scratch / "celeba"; lsun_root = scratch / "lsun"
new = lambda: scratch / f"new-{random.SystemRandom().randrange(10**12)}"
save = lambda picture, file: (file.parent.mkdir(parents=True, exist_ok=True), picture.save(file))
plain = Pillow.new("RGB", (6, 6), (200, 30, 30)); table = Rows([plain, plain])
[save(plain, ffhq_root / "images1024x1024" / f"{i:05d}.png") for i in (0, 1, 60000)]
[save(plain, celeba_root / "CelebA-HQ-img" / f"{i}.jpg") for i in (0, 1, 2)]
_ = (celeba_root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("idx orig_idx orig_file\\n" + "".join(f"{i} {i} {i + 1:06d}.jpg\\n" for i in range(3)))
[save(plain, lsun_root / "church_outdoor_train" / "0" / "a" / f"0a{i}.webp") for i in (1, 2)]
"""

HOSTILE = """
NanDenoiser = lambda x, t: Prediction(x * nan, x * nan)
OtherKind = lambda x, t: x
gone = rand(2, 16, 3).to("meta"); many = rand(2, 16, 3).to(torch.float64)
refuses = lambda: None
"""
