r"""A multiscale network evaluated tile by tile, with the answer of the whole.

What the network computes at a point depends on the points in reach of its local kernels, and on all
others through the grid of its U-Net alone, which is reached by an average: a quotient of sums. So a
function on a grid too fine for its features to be held at once is read in two passes::

    for each tile:  lift, local blocks ── its part of the average's sums      points, then grid
                                          divide, U-Net                       grid
    for each tile:  lift, local blocks again, read back, local blocks, answer points

A kernel of :math:`k` nodes a cell :math:`h` apart sees :math:`(k + 1)h/2` to each side. A tile is
computed with a *halo* of this width for every local block that its answer is to go through, within
which the features are right in the middle and wrong near the rim; after each block the rim is cut
off. At the sides of the domain there is no halo and nothing is cut, since the kernel ends there
too. The answer is that of the network to rounding, whatever the tiles, so that they leave no seams.

The second pass computes the features of the first half again instead of keeping them. With
:math:`L` blocks before and after the grid the halo is :math:`L(k + 1)h/2` wide in the first pass
and twice that in the second, at every size of the output.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import entries, instance, shown, whole
from inftydiff.models.multiscale import MultiscaleNetwork
from inftydiff.models.neural_operator import require_batch
from inftydiff.operators import Box, Discretisation, Function, Grid
from inftydiff.operators.local import Neighbours, neighbours, window_reach
from inftydiff.operators.transfer import Interpolation

__all__ = ["TiledNetwork", "tiled"]

Block: TypeAlias = tuple[slice, slice]
"""Some rows and some columns of a grid."""


def tiled(network: object, size: int | tuple[int, int]) -> "TiledNetwork":
    """Evaluate a network tile by tile: the same answer in less memory and more time.

    Args:
        network: a ``MultiscaleNetwork``, such as ``InftyDiff.network``.
        size: the points along a tile's sides, rows and columns; one number stands for both. Memory
            is that of a tile and its halo.

    Returns:
        A neural operator on functions on full grids, without gradients.

    Raises:
        TypeError: if the network is of another kind, whose answer at a point may depend on every
            other.
        ValueError: if a side is not a whole number of at least one.

    Example:
        >>> from inftydiff.models import MultiscaleNetwork, tiny
        >>> network = MultiscaleNetwork(tiny(), 3)
        >>> _ = nn.init.normal_(network.projection.weight)  # which starts at zero
        >>> x, t = Function(Grid((64, 48)), torch.ones(1, 64 * 48, 3)), torch.tensor([0.5])
        >>> with torch.no_grad():
        ...     same = tiled(network, 32)(x, t).values.allclose(network(x, t).values, atol=1e-5)
        >>> bool(same)
        True
    """
    if not isinstance(network, MultiscaleNetwork):
        raise TypeError(
            "Tiles are for a MultiscaleNetwork, whose points see each other within a kernel's reach"
            f" and through one small grid; what {shown(network)} answers at a point may "
            "depend on all the others. Evaluate it whole, at a size that fits."
        )
    return TiledNetwork(network, size if isinstance(size, tuple) else (size, size))


@final
@dataclass(frozen=True, eq=False)
class TiledNetwork:
    """A multiscale network that holds the features of one tile at a time; made by :func:`tiled`.

    Args:
        network: the network.
        size: the rows and columns of a tile, without its halo.

    Raises:
        TypeError: if the network is of another kind, or the sides are no numbers.
        ValueError: if there are not two sides, or one is not a whole number of at least one.
    """

    network: MultiscaleNetwork
    size: tuple[int, int]

    def __post_init__(self) -> None:
        instance(self.network, MultiscaleNetwork, "What is evaluated in tiles")
        sides = entries(self.size, "A tile's sides", count=2)
        object.__setattr__(self, "size", tuple(whole(side, "A tile's side") for side in sides))

    def __call__(
        self,
        x: Function,
        t: Float[Tensor, "batch"],
        *,
        on: Discretisation | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
        condition: Function | None = None,
    ) -> Function:
        """Apply the network, one sample and one tile at a time.

        The arguments and the answer are those of the network.

        Raises:
            ValueError: if ``x`` does not live on a full grid, or carries a gradient, or as the
                network.
            TypeError: as the network.
        """
        require_batch(x, t)
        self.network.check(x, on, latent, condition)
        if not isinstance(x.on, Grid):
            raise ValueError(
                f"Tiles are those of a full Grid; got a function on {type(x.on).__name__}. Leave "
                "out the tiles: some points of a grid take the memory of so many points."
            )
        if torch.is_grad_enabled() and x.values.requires_grad:
            raise ValueError(
                "No gradient goes through tiles, which are forgotten one by one. Sample under "
                "torch.no_grad(), or evaluate the network whole."
            )
        with torch.no_grad():
            return Function(x.on, _Pass(self.network, x, x.on, t, latent).image(self.size))


class _Pass:
    """One evaluation: what all tiles share."""

    def __init__(
        self,
        network: MultiscaleNetwork,
        x: Function,
        grid: Grid,
        t: Tensor,
        latent: Tensor | None,
    ) -> None:
        config = network.config
        self.network, self.x, self.grid = network, x, grid
        self.embedding = network.embed(t)
        self.codes = None if network.embed_latent is None else network.embed_latent(latent)
        self.halo = window_reach(grid, size=config.kernel_size, cell=config.cell)
        self.pixels = x.values.unflatten(1, grid.shape)
        self._maps: dict[tuple[int, int], Neighbours] = {}

    def image(self, size: tuple[int, int]) -> Float[Tensor, "batch points channels"]:
        """The network's answer."""
        network = self.network
        tiles = list(_tiles(self.grid.shape, size))
        cells = network.unet(self._cells(tiles), self.embedding, self.codes).permute(0, 2, 3, 1)
        back = Interpolation(Grid(tuple(network.config.grid), self.grid.domain), self.grid)
        out = network.out_channels
        image = self.x.values.new_empty(*self.pixels.shape[:-1], out)
        for sample in range(len(image)):
            one = network.from_grid(cells[sample : sample + 1].flatten(1, 2))
            for tile in tiles:
                image[(sample, *tile)] = self._answer(sample, tile, one, back)[0]
        return image.flatten(1, 2)

    def _cells(self, tiles: list[Block]) -> Float[Tensor, "batch width rows columns"]:
        """The features on the U-Net's grid: the sums of all tiles, divided."""
        gathering = self.network.gathering
        average = gathering.average(self.grid)
        samples = []
        for sample in range(len(self.pixels)):
            sums: Tensor | None = None
            for tile in tiles:
                *_, h = self._features(sample, tile, 0)
                part = average.part_of_sums(h.flatten(1, 2), tile)
                sums = part if sums is None else sums.add_(part)
            assert sums is not None
            samples.append(average.averages_of(sums).to(h.dtype))
        return gathering.placed(torch.cat(samples))

    def _features(
        self, sample: int, tile: Block, beyond: int
    ) -> Iterator[Float[Tensor, "1 rows columns channels"]]:
        """The features after each block of the first half, on a tile and ever fewer halos.

        Args:
            sample: the number of the sample.
            tile: the tile.
            beyond: how many halos around the tile the last of them is wanted on.
        """
        gathering, config = self.network.gathering, self.network.config
        block = self._around(tile, beyond + config.local_blocks)
        values = self.pixels[(slice(sample, sample + 1), *block)] / config.scale
        h = gathering.lifting(values.to(gathering.lifting.weight.dtype))
        for number, layer in reversed(list(enumerate(reversed(gathering.blocks)))):
            inner = self._around(tile, beyond + number)
            h = _cut(self._apply(layer, sample, h, block), block, inner)
            block = inner
            yield h

    def _answer(
        self, sample: int, tile: Block, cells: Tensor, back: Interpolation
    ) -> Float[Tensor, "1 rows columns channels"]:
        """The network's second half on a tile."""
        network, blocks = self.network, self.network.config.local_blocks
        skips = [
            _cut(h, self._around(tile, 2 * blocks - number), self._around(tile, number))
            for number, h in enumerate(self._features(sample, tile, blocks), 1)
        ]
        block = self._around(tile, blocks)
        h = back.part_of_values(cells, block).unflatten(1, _shape(block))
        for number, layer in reversed(list(enumerate(reversed(network.decoder)))):
            inner = self._around(tile, number)
            h = _cut(self._apply(layer, sample, h, block, skips.pop()), block, inner)
            block = inner
        answer: Tensor = network.config.scale * network.projection(h)
        return answer.to(self.x.values.dtype)

    def _apply(
        self, layer: nn.Module, sample: int, h: Tensor, block: Block, skip: Tensor | None = None
    ) -> Tensor:
        """A local block on a part of the grid, right where its kernel ends within the part."""
        some = slice(sample, sample + 1)
        code = None if self.codes is None else self.codes[some]
        other = None if skip is None else skip.flatten(1, 2)
        near = self._near(_shape(block))
        flat: Tensor = layer(h.flatten(1, 2), self.embedding[some], near, other, latent=code)
        return flat.unflatten(1, _shape(block))

    def _near(self, shape: tuple[int, int]) -> Neighbours:
        """The neighbour map of a part of the grid, which is a lattice of the same spacing."""
        if shape not in self._maps:
            lengths = tuple(n * side for n, side in zip(shape, self.grid.spacing, strict=True))
            config, device = self.network.config, self.x.values.device
            self._maps[shape] = neighbours(
                Grid(shape, Box(lengths)), size=config.kernel_size, cell=config.cell, device=device
            )
        return self._maps[shape]

    def _around(self, tile: Block, halos: int) -> Block:
        """A tile and so many halos around it, as far as there is a grid."""
        rows, columns = (
            slice(max(0, part.start - halos * halo), min(cells, part.stop + halos * halo))
            for part, halo, cells in zip(tile, self.halo, self.grid.shape, strict=True)
        )
        return rows, columns


def _tiles(shape: tuple[int, ...], size: tuple[int, int]) -> Iterator[Block]:
    """The tiles of a grid, row by row; the last of a row or column may be smaller."""
    for row in range(0, shape[0], size[0]):
        for column in range(0, shape[1], size[1]):
            rows = slice(row, min(row + size[0], shape[0]))
            yield rows, slice(column, min(column + size[1], shape[1]))


def _shape(block: Block) -> tuple[int, int]:
    rows, columns = block
    return rows.stop - rows.start, columns.stop - columns.start


def _cut(h: Tensor, block: Block, inner: Block) -> Tensor:
    """Features on a block, on a block within it, without a hold on the memory of the rest."""
    if block == inner:
        return h
    rows, columns = (
        slice(b.start - a.start, b.stop - a.start) for a, b in zip(block, inner, strict=True)
    )
    return h[:, rows, columns].contiguous()
