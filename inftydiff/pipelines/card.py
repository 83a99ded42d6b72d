"""Model cards: what a folder of weights says of itself to people, as README.md."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, final

from inftydiff._components import kind_of
from inftydiff._typing import entries, instance, number, store, whole
from inftydiff.operators import SpectralOperator
from inftydiff.pipelines.config import InftyDiffConfig

__all__ = ["ModelCard"]

USE = (
    "```python",
    "import torch",
    "from inftydiff.pipelines import InftyDiff",
    "",
    'model = InftyDiff.from_pretrained("FOLDER")  # this folder, or its name on the Hub',
    "generator = torch.Generator().manual_seed(0)",
    "x = model.sample(on=model.grid(64), batch=4, generator=generator)",
    "pictures = x.to_image()  # (batch, channels, rows, columns), about [-1, 1]",
    "```",
    "",
    "`model.safetensors` holds the weights, `config.json` all else that the model is made from.",
    "",
)


@final
@dataclass(frozen=True)
class ModelCard:
    """What its maker says of a model.

    Args:
        name: the name of the model.
        summary: a sentence or a few on what it draws.
        license: the licence of the weights, by its name on the Hugging Face Hub.
        command: the command that trained it.
        credits: who made the data, and under which licence, a line each.
        figures: what has been measured, by name; a number comes with what it was measured on.

    Example:
        >>> card = ModelCard("faces", license="mit", figures={"KID, N = 500": 0.15})
        >>> "| KID, N = 500 | 0.15 |" in card.text(InftyDiffConfig(), parameters=2_250_515)
        True
    """

    name: str = "∞-Diff model"
    summary: str = "A diffusion model of functions: its samples have values at every point."
    license: str | None = None
    command: str | None = None
    credits: Sequence[str] = ()
    figures: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        store(self, _text, "name", "summary", subject="A card's ")
        for name in ("license", "command"):
            if getattr(self, name) is not None:
                store(self, _text, name, subject="A card's ")
        store(self, entries, "credits", subject="A card's ")
        for line in self.credits:
            _text(line, "A line of a card's credits")
        for name, value in instance(self.figures, Mapping, "A card's figures").items():
            _text(name, "The name of a figure")
            if not isinstance(value, str):
                number(value, f"The figure {name!r}, unless words,")

    def text(self, config: InftyDiffConfig, *, parameters: int) -> str:
        """The card of a model with this configuration and number of parameters, in Markdown."""
        instance(config, InftyDiffConfig, "config")
        parameters = whole(parameters, "The number of parameters", least=0)
        lines = [
            *self._front(),
            f"# {self.name}",
            "",
            self.summary,
            "",
            *USE,
            *_table("What it is", _facts(config, parameters)),
        ]
        if self.figures:
            lines += _table("Measured", self.figures)
        if self.command:
            lines += ["## Trained by", "", "```bash", self.command, "```", ""]
        if self.credits:
            lines += ["## Data", "", *(f"- {line}" for line in self.credits), ""]
        said = self.license or "The maker of these weights has not stated one."
        return "\n".join([*lines, "## Licence", "", said, ""])

    def _front(self) -> list[str]:
        """What the Hub reads; a JSON string is one of YAML."""
        license = [f"license: {json.dumps(self.license)}"] if self.license else []
        tags = ["tags: [infty-diff, diffusion, neural-operator]"]
        return ["---", "library_name: inftydiff", *license, *tags, "---", ""]


def _text(value: str, name: str) -> str:
    return instance(value, str, name)


def _facts(config: InftyDiffConfig, parameters: int) -> dict[str, str]:
    facts = {
        "parameters": f"{parameters:,}",
        "channels": str(config.channels),
        "domain": _said(config.domain),
        "network": _said(config.network),
        "process": _said(config.process),
        "predicts": _said(config.predict),
        "latent": "none" if config.latent is None else f"{config.latent} features",
        "prior": "none" if config.prior is None else _said(config.prior),
        "sampling steps": str(config.steps),
    }
    if config.training_resolution is not None:
        facts["trained on a grid of"] = f"{config.training_resolution} cells along the longest side"
    return facts


def _said(component: object) -> str:
    """A component in a line: its kind, and its fields but for those that are their defaults."""
    words = []
    for part in dataclasses.fields(cast(Any, component)):
        value = getattr(component, part.name)
        plain = part.default_factory is dataclasses.MISSING and value == part.default
        if isinstance(value, SpectralOperator):
            value = value.multiplier
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            words.append(f"{part.name} {_said(value)}")
        elif not plain:
            words.append(f"{part.name} {_number(value)}")
    kind = kind_of(component) or type(component).__name__
    return f"{kind} ({', '.join(words)})" if words else kind


def _number(value: object) -> str:
    if isinstance(value, tuple):
        return " × ".join(map(_number, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _table(heading: str, rows: Mapping[str, float | str]) -> list[str]:
    def cell(value: object) -> str:
        return " ".join(str(value).split()).replace("|", "\\|")

    lines = [f"| {cell(name)} | {cell(value)} |" for name, value in rows.items()]
    return [f"## {heading}", "", "| | |", "|---|---|", *lines, ""]
