r"""Neural operators: learnable maps from a function and a time to a function.

A neural operator reads a function wherever it is known and answers with a function, at the same
points or at others. A network on images is one as well, on grids alone: wrap it in
:func:`functionalise`.

References:
    Kovachki et al., "Neural operator: learning maps between function spaces", JMLR 24 (2023).
"""

from collections.abc import Callable
from typing import Final, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import check_device, choice, floating, instance, kind_of, whole
from inftydiff.models.network import Capabilities
from inftydiff.operators import Discretisation, Function, Grid
from inftydiff.operators.discretisation import require_discretisation
from inftydiff.operators.function import require_function

__all__ = ["GridNetwork", "NeuralOperator", "functionalise", "require_batch", "require_plain"]

TIMES: Final = ("argument", "channel")
"""The ways to give a network on images the time."""

WHOLE_GRIDS: Final = Capabilities(subsets=False)
"""The capabilities of a network on images, unless others are stated."""


@runtime_checkable
class NeuralOperator(Protocol):
    """What processes, samplers and training ask of a network; any callable of this form will do."""

    def __call__(
        self,
        x: Function,
        t: Float[Tensor, "batch"],
        *,
        on: Discretisation | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
        condition: Function | None = None,
    ) -> Function:
        """Apply the network.

        Args:
            x: the functions, with values of shape ``(batch, points, channels)``.
            t: the times in [0, 1], one a sample, of shape ``(batch,)``.
            on: where the answer is wanted; by default where ``x`` is known.
            latent: a code for each sample, of shape ``(batch, features)``.
            condition: functions that the answer is conditioned on.

        Returns:
            The answer on ``on``, with values of shape ``(batch, points, channels)`` in the dtype
            and on the device of those of ``x``.

        Raises:
            ValueError: if the network cannot read ``x`` where it is known, or answer on ``on``.
            TypeError: if it takes no latent, or no condition, and one is given.
        """


def functionalise(
    module: nn.Module,
    *,
    clock: Callable[[Tensor], Tensor] | None = None,
    time: str = "argument",
    multiple: int = 1,
    capabilities: Capabilities = WHOLE_GRIDS,
) -> "GridNetwork":
    """Make a neural operator of a network on images.

    Args:
        module: a network ``module(images, t) -> images`` on channels-first images of shape
            ``(batch, channels, *grid.shape)``. It may answer with an object that holds the images
            as ``sample``, as those of diffusers do.
        clock: what the module takes as its time, of the time in [0, 1]; by default that time
            itself. Networks of a thousand steps often count them, ``lambda t: 1000 * t - 1``.
        time: how the module is told the time: ``"argument"``, its second one, or ``"channel"``, the
            last channel of the images, constant on each of them. It is ``module(images)`` then.
        multiple: what the sides of the images are whole multiples of, in cells; 8 for a network
            that halves them three times.
        capabilities: what the network says of itself; by default that it reads whole grids.

    Example:
        >>> import torch
        >>> class Halve(nn.Module):
        ...     def forward(self, images: Tensor, t: Tensor) -> Tensor:
        ...         return 0.5 * images
        >>> f = Function(Grid((2, 2)), torch.ones(1, 4, 3))
        >>> functionalise(Halve())(f, torch.zeros(1)).to_image().shape
        torch.Size([1, 3, 2, 2])
        >>> told = functionalise(nn.Conv2d(3 + 1, 3, 1), time="channel")
        >>> told(f, torch.zeros(1)).to_image().shape
        torch.Size([1, 3, 2, 2])
    """
    return GridNetwork(module, clock=clock, time=time, multiple=multiple, capabilities=capabilities)


@runtime_checkable
class _Answer(Protocol):
    """An answer of a network of another library, which holds images."""

    @property
    def sample(self) -> Tensor:
        """The images."""


@final
class GridNetwork(nn.Module):
    """A network on images as a neural operator on the functions on a grid.

    Args:
        module: the network, ``module(images, t) -> images``.
        clock: what it takes as its time, of the time in [0, 1].
        time: how it is told, by an ``"argument"`` or a ``"channel"``.
        multiple: what the sides of the images are whole multiples of.
        capabilities: what it says of itself.

    Raises:
        TypeError: if the module is none, the clock cannot be called, or another argument is of
            another kind.
        ValueError: if there is no such way to tell the time, the multiple is below one, or the
            capabilities claim more than whole grids or any input.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        clock: Callable[[Tensor], Tensor] | None = None,
        time: str = "argument",
        multiple: int = 1,
        capabilities: Capabilities = WHOLE_GRIDS,
    ) -> None:
        super().__init__()
        instance(module, nn.Module, "A network on images")
        if clock is not None and (isinstance(clock, type) or not callable(clock)):
            raise TypeError(f"A clock must be a function of times; got {kind_of(clock)}.")
        instance(capabilities, Capabilities, "What a network on images says of itself")
        if capabilities.subsets or capabilities.inputs:
            raise ValueError(
                f"A network on images reads whole grids, and nothing besides; got {capabilities}. "
                "Say subsets=False, and leave inputs out."
            )
        self.module = module
        self.clock = clock
        self.time = choice(time, TIMES, "How a network on images is told the time")
        self.multiple = whole(multiple, "What the sides of images are multiples of")
        self.capabilities = capabilities

    def forward(
        self,
        x: Function,
        t: Float[Tensor, "batch"],
        *,
        on: Discretisation | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
        condition: Function | None = None,
    ) -> Function:
        """Apply the network to the functions as images.

        Raises:
            ValueError: if ``x`` does not live on a grid, or on one whose sides the network does not
                take, ``on`` is another discretisation, or the times are not one a sample.
            TypeError: if a latent or a condition is given.
        """
        require_batch(x, t)
        require_plain(x, on, latent, condition, "A network on images")
        if not isinstance(x.on, Grid):
            raise ValueError(
                f"A network on images takes functions on a Grid; got one on {type(x.on).__name__}. "
                "Use a network that reads points, such as MultiscaleNetwork, or give whole grids."
            )
        if any(cells % self.multiple for cells in x.on.shape):
            raise ValueError(
                "This network on images takes grids whose sides are multiples of "
                f"{self.multiple} cells; got {' × '.join(map(str, x.on.shape))}. Choose another "
                "grid."
            )
        images = self._asked(x.to_image(), t if self.clock is None else self.clock(t))
        floating(images, "What a network on images answers")
        if images.shape[:1] != t.shape or tuple(images.shape[2:]) != x.on.shape:
            raise ValueError(
                f"The network must answer with images of shape ({len(t)}, channels, "
                f"{', '.join(map(str, x.on.shape))}); got {tuple(images.shape)}."
            )
        return Function(x.on, images.flatten(2).transpose(1, 2).to(x.values.dtype))

    def _asked(self, images: Tensor, t: Tensor) -> Tensor:
        """Return the answer of the module, computed in the dtype of its parameters."""
        weights = (p for p in self.module.parameters() if p.is_floating_point())
        images = images.to(next(weights, images).dtype)
        if self.time == "channel":
            times = t.to(images).reshape(-1, *(1,) * (images.ndim - 1))
            channel = times.expand(-1, 1, *images.shape[2:])
            answer = self.module(torch.cat([images, channel], 1))
        else:
            answer = self.module(images, t)
        if not isinstance(answer, Tensor) and isinstance(answer, _Answer):
            return answer.sample
        return answer


def require_batch(x: Function, t: Tensor) -> None:
    """Refuse functions without one batch axis, and times that are not one a sample.

    Raises:
        TypeError: if ``x`` is no function, or the times are no floating-point tensor.
        ValueError: if the values are not of shape ``(batch, points, channels)``, the times not
            of shape ``(batch,)``, or the two on different devices.
    """
    require_function(x, "What a network reads")
    floating(t, "The times of a network", held=False)
    if x.values.ndim != 3 or tuple(t.shape) != x.batch:
        raise ValueError(
            "A network takes values of shape (batch, points, channels) and times of shape "
            f"(batch,); got {tuple(x.values.shape)} and {tuple(t.shape)}."
        )
    advice = "Move the times, as by t.to(x.values.device)."
    check_device(t.device, x.values.device, "Times and functions", advice)


def require_plain(
    x: Function,
    on: Discretisation | None,
    latent: Tensor | None,
    condition: Function | None,
    name: str,
) -> None:
    """Refuse what a network that maps functions to functions at the same points does not take.

    Raises:
        ValueError: if ``on`` is another discretisation than that of ``x``.
        TypeError: if a latent or a condition is given, or ``on`` is no discretisation.
    """
    if on is not None:
        require_discretisation(on, "Where an answer is wanted")
    if on is not None and on is not x.on and on != x.on:
        raise ValueError(
            f"{name} answers where its input is known, on {type(x.on).__name__} of {x.on.size} "
            f"points; asked for {type(on).__name__} of {on.size} points. Leave out `on`, and "
            "interpolate the answer."
        )
    if latent is not None:
        raise TypeError(f"{name} takes no latent; leave it out.")
    if condition is not None:
        raise TypeError(f"{name} takes no condition; leave it out.")
