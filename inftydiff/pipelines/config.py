r"""What an ∞-Diff model is made from, as a value that JSON keeps.

Every length is in units of the pictures' longest side, never in pixels: the mollifier's width and
the network's footprints stay what they are when the grid is refined. The noise's intensity is the
root of a cell's volume where it shall be one unit a cell, 1/64 for a grid of 64².
"""

import json
from dataclasses import dataclass, field
from typing import Literal, final, get_args

from inftydiff._components import from_record, to_record
from inftydiff._reading import parse_json
from inftydiff._typing import choice, entries, instance, number, positive, store, whole
from inftydiff.models import LatentPriorConfig, MultiscaleConfig, faces_64
from inftydiff.operators import Box, gaussian_mollifier
from inftydiff.processes import (
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    LinearSchedule,
    NoisePrediction,
    Parameterisation,
    SignalPrediction,
    VelocityPrediction,
    WhiteNoise,
)
from inftydiff.processes.checks import MOST_STEPS, bounds

__all__ = ["InftyDiffConfig", "PredictionName", "ProcessName", "ScheduleName"]

VERSION = 1
"""The version of the JSON form; it changes when a reader of the old one would be misled."""

ProcessName = Literal["mollified", "white", "noise_only"]
ScheduleName = Literal["cosine", "linear"]
PredictionName = Literal["noise", "signal", "clean", "velocity"]

WIDEST = 1e3
"""The widest mollifier, in units of the longest side."""

THINNEST = 1e-4
"""The shortest side, in units of the longest."""

LARGEST = 1e6
"""The largest intensity, ratio, floor or weight."""

MOST_CELLS = 1 << 16
"""The most cells along a side of the grid that a model is trained on."""

SCHEDULES: dict[str, type[CosineSchedule] | type[LinearSchedule]] = {
    "cosine": CosineSchedule,
    "linear": LinearSchedule,
}
PREDICTIONS: dict[str, type[Parameterisation]] = {
    "noise": NoisePrediction,
    "signal": SignalPrediction,
    "clean": CleanPrediction,
    "velocity": VelocityPrediction,
}


def _sides(values: object, name: str) -> tuple[float, ...]:
    """Two lengths of at most one, of which none is too short for a cell."""
    return tuple(
        number(n, f"A side of {name}", least=THINNEST, most=1.0)
        for n in entries(values, name, count=2)
    )


def _bounds(values: object, name: str) -> tuple[float, ...]:
    """Two finite bounds, the lower first."""
    for bound in entries(values, name, count=2):
        number(bound, f"A bound of {name}")
    return bounds(values, name)


@final
@dataclass(frozen=True)
class InftyDiffConfig:
    r"""What an :class:`~inftydiff.pipelines.infty_diff.InftyDiff` is built from.

    Args:
        network: the sizes of the network; one with a latent makes a diffusion autoencoder, whose
            encoder has the same sizes.
        process: what carries noise: "mollified" mollifies data and noise (the paper's process),
            "white" neither, "noise_only" the noise alone.
        schedule: the noise schedule, "cosine" or "linear".
        mollifier_width: the standard deviation of the mollifier, in units of the longest side.
        noise_intensity: the amplitude of the white noise behind the process, in units of value ×
            length; 1/64 makes one unit a cell of a 64² grid.
        predict: what the network predicts: "noise" (the paper's choice), "signal", "clean" or
            "velocity".
        lengths: the sides of the pictures' domain, rows first, the longest of them 1.
        clip: bounds of the signal while sampling, or None.
        range_floor: while sampling, take out of each estimate of the signal the frequencies that
            the mollifier reduces to less than this fraction; None leaves it as it is. Both filters
            are idle where data are not mollified.
        noise_to_signal: the noise-to-signal ratio of the Wiener filter that undoes the mollifier.
        steps: the number of sampling steps unless others are asked for.
        trained_at: the cells along the longest side of the grid that the network was trained on.
            Coarser pictures are averages over cells of one at least as fine; None for a model whose
            coarser pictures are point values.
        kl_weight: the weight of the latents' divergence from the standard normal in the loss, in
            units of the loss a nat; None for an encoder that gives each function one latent.
        prior: the sizes of the network that draws latents, if there is one.

    Raises:
        TypeError: if a field is of another kind.
        ValueError: if a name is unknown, a number out of range, or the network does not give as
            many channels as it takes.

    Example:
        >>> config = InftyDiffConfig(predict="velocity")
        >>> InftyDiffConfig.from_json(config.to_json()) == config
        True
    """

    network: MultiscaleConfig = field(default_factory=faces_64)
    process: ProcessName = "mollified"
    schedule: ScheduleName = "cosine"
    mollifier_width: float = 1 / 64
    noise_intensity: float = 1 / 64
    predict: PredictionName = "velocity"
    lengths: tuple[float, float] = (1.0, 1.0)
    clip: tuple[float, float] | None = (-1.0, 1.0)
    range_floor: float | None = None
    noise_to_signal: float = 0.05
    steps: int = 15
    trained_at: int | None = None
    kl_weight: float | None = None
    prior: LatentPriorConfig | None = None

    def __post_init__(self) -> None:
        instance(self.network, MultiscaleConfig, "network")
        for name, allowed in (
            ("process", ProcessName),
            ("schedule", ScheduleName),
            ("predict", PredictionName),
        ):
            choice(getattr(self, name), get_args(allowed), name)
        store(self, positive, "mollifier_width", most=WIDEST)
        store(self, positive, "noise_intensity", "noise_to_signal", most=LARGEST)
        for name in ("kl_weight", "range_floor"):
            if getattr(self, name) is not None:
                store(self, positive, name, most=LARGEST)
        store(self, whole, "steps", most=MOST_STEPS)
        if self.trained_at is not None:
            store(self, whole, "trained_at", most=MOST_CELLS)
        if self.prior is not None:
            instance(self.prior, LatentPriorConfig, "prior, unless None,")
        store(self, _sides, "lengths")
        if max(self.lengths) != 1.0:
            raise ValueError(
                f"lengths are two sides, the longest of them 1; got {self.lengths}. A picture of "
                "48 rows and 64 columns has the sides (0.75, 1.0)."
            )
        if self.clip is not None:
            store(self, _bounds, "clip")
        if self.network.out_channels not in (None, self.network.channels):
            raise ValueError(
                f"A diffusion model's network gives the channels that it takes, "
                f"{self.network.channels}; got out_channels={self.network.out_channels}."
            )
        if self.network.latent is None and not (self.prior is None and self.kl_weight is None):
            raise ValueError(
                "A prior and a kl_weight are for models with latents; set network.latent. This "
                "network has none."
            )

    @property
    def channels(self) -> int:
        """The number of channels of a picture."""
        return self.network.channels

    @property
    def domain(self) -> Box:
        """The box that pictures are functions on."""
        return Box(self.lengths)

    @property
    def noise(self) -> WhiteNoise:
        """The white noise behind the process."""
        return WhiteNoise(self.noise_intensity)

    def build_process(self) -> DiffusionProcess:
        """The diffusion process."""
        schedule, noise = SCHEDULES[self.schedule](), self.noise
        mollifier = gaussian_mollifier(self.mollifier_width)
        if self.process == "white":
            return DiffusionProcess.white(schedule, noise=noise)
        if self.process == "noise_only":
            return DiffusionProcess.noise_only(schedule, mollifier, noise=noise)
        return DiffusionProcess.mollified(schedule, mollifier, noise=noise)

    def build_parameterisation(self) -> Parameterisation:
        """What the network predicts."""
        return PREDICTIONS[self.predict]()

    def to_json(self) -> str:
        """The configuration as JSON, with the version of its form."""
        return json.dumps({"version": VERSION, **to_record(self)}, indent=2)

    @staticmethod
    def from_json(text: str) -> "InftyDiffConfig":
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: if the text is not JSON, is of another version, or has a key or a value that
                this class does not know.
        """
        instance(text, str, "The JSON of an InftyDiffConfig")
        try:
            record = parse_json(text)
        except ValueError as error:
            said = str(error).removesuffix(".")
            raise ValueError(
                f"An InftyDiffConfig is read from JSON; {said}. Correct the text."
            ) from error
        if not isinstance(record, dict):
            raise ValueError(
                f"An InftyDiffConfig is read from a mapping; got {type(record).__name__}."
            )
        version = record.pop("version", None)
        if version != VERSION:
            raise ValueError(
                f"This release reads configurations of version {VERSION}; got {version!r:.80}."
            )
        return from_record(InftyDiffConfig, record)
