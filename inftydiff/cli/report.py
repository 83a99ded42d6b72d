"""What a run has come to, in words."""

from pathlib import Path

from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.training import read_progress

__all__ = ["parameters", "training_report"]


def parameters(pipeline: InftyDiff) -> int:
    """The number of parameters of a model."""
    return sum(weight.numel() for weight in pipeline.parameters())


def training_report(
    run: Path, *, loss: str = "squared error over the square of the network's scale"
) -> str:
    """A few lines on a run folder: size, steps, speed and losses.

    Args:
        run: the run folder.
        loss: what the loss is.
    """
    done = read_progress(run)
    lines = [
        f"Parameters     {parameters(load_pipeline(run)):,}",
        f"Steps          {done.step} in {done.seconds / 60:.1f} minutes, "
        f"{done.seconds / max(1, done.step):.3f} seconds each",
        f"Training loss  {done.loss:.4f} ({loss})",
    ]
    if done.held_out is not None:
        lines.append(f"Held-out loss  {done.held_out:.4f}")
    return "\n".join([*lines, f"Checkpoints    {run}"])
