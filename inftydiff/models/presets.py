"""Configurations that are known to work, by the data they are for."""

from inftydiff.models.multiscale import MultiscaleConfig

__all__ = ["faces_64", "tiny"]


def faces_64(channels: int = 3) -> MultiscaleConfig:
    """Two million parameters for pictures with the detail of a 64² grid, such as vector faces.

    One local block before the grid and one after it, where the paper has three: short runs on a
    CPU get more steps for it. The scale is that of noise mollified at one cell of that grid.

    Example:
        >>> faces_64().level_sizes
        (32, 16, 8)
    """
    return MultiscaleConfig(channels=channels, local_blocks=1, position=True, scale=0.285)


def tiny(channels: int = 3) -> MultiscaleConfig:
    """Some thousands of parameters for tests, with every part that the network has.

    Example:
        >>> tiny().grid
        (8, 8)
    """
    return MultiscaleConfig(
        channels=channels,
        width=8,
        kernel_size=3,
        cell=1 / 16,
        grid=(8, 8),
        grid_channels=8,
        multipliers=(1, 2),
        attention=(4,),
        head=8,
        embedding=16,
        position=True,
        scale=0.285,
    )
