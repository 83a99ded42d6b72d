"""Configurations by the data they are for: those of the paper, and smaller ones for a CPU."""

from inftydiff.models.multiscale_config import MultiscaleConfig

__all__ = ["faces_64", "faces_128", "infty_diff_64", "infty_diff_128", "infty_diff_256", "tiny"]


def infty_diff_256() -> MultiscaleConfig:
    r"""The paper's network for pictures of 256², with a latent of 1024 features.

    Three local blocks of 64 channels on each side of a U-Net on a grid of 128², of 128 to 1024
    channels, with two blocks a level, attention at 16 and 8 cells and dropout there. The decoder
    has 334.3 million parameters, the paper's 321.5; the six local blocks have 0.74, the paper's
    1.38; the encoder has 164.5.

    What differs from the released code:

    - *Latent.* Theirs has a perceptron :math:`1024 → w → w` in every normalisation, here one
      embedding of 256 channels is shared and each has a linear map: :math:`1024 w + w^2` against
      :math:`256 w` parameters. This is all of the difference in the local blocks, but for the scale
      and shift of theirs' normalisations, which the modulation has already.
    - *U-Net.* A level's blocks have its own width on the way down, where theirs have that of the
      level before and widen at the end of the level. A linear map and repetition go up a level
      where theirs has transposed convolutions, and the extra convolutions at the U-Net's ends and
      beyond its coarsest level are left out. SiLU for GELU.
    - *Time.* The embedding ends with a GELU that theirs has in each block.
    - *Grid.* Points go to the grid by a Gaussian average of one cell's width where theirs takes the
      three nearest. The answer is read back by interpolation between cell centres, where theirs
      reads it transposed from one quadrant.
    - *Start.* Modulations and the last map of each residual branch start at zero.

    Example:
        >>> infty_diff_256().level_sizes
        (128, 64, 32, 16, 8)
    """
    return MultiscaleConfig(
        width=64,
        local_blocks=3,
        kernel_size=7,
        cell=1 / 256,
        grid=(128, 128),
        grid_channels=128,
        channel_multipliers=(1, 2, 4, 8, 8),
        blocks_per_level=2,
        attention=(16, 8),
        head_dim=32,
        embedding=256,
        dropout=0.1,
        dropout_at_most=16,
    )


def infty_diff_128() -> MultiscaleConfig:
    """The released code's network for pictures of 128², with a latent of 256 features.

    As :func:`infty_diff_256`, with its differences, but for the U-Net: a grid of 64², of 64 to 512
    channels. The paper's text gives the sizes for 256² alone; these are the code's.

    Example:
        >>> infty_diff_128().level_sizes
        (64, 32, 16, 8)
    """
    return MultiscaleConfig(
        width=64,
        local_blocks=3,
        kernel_size=7,
        cell=1 / 128,
        grid=(64, 64),
        grid_channels=64,
        channel_multipliers=(1, 2, 4, 8),
        blocks_per_level=2,
        attention=(16, 8),
        head_dim=32,
        embedding=256,
        dropout=0.1,
        dropout_at_most=16,
    )


def infty_diff_64() -> MultiscaleConfig:
    """A network for pictures of 64², by the rule of :func:`infty_diff_128`.

    The released code has none of this size. The U-Net's grid has half the side of the pictures
    again, and one level less.

    Example:
        >>> infty_diff_64().level_sizes
        (32, 16, 8)
    """
    return MultiscaleConfig(
        width=64,
        local_blocks=3,
        kernel_size=7,
        cell=1 / 64,
        grid=(32, 32),
        grid_channels=64,
        channel_multipliers=(1, 2, 4),
        blocks_per_level=2,
        attention=(16, 8),
        head_dim=32,
        embedding=256,
        dropout=0.1,
        dropout_at_most=16,
    )


def faces_64() -> MultiscaleConfig:
    """Two million parameters for pictures with the detail of a 64² grid, such as vector faces.

    One local block before the grid and one after it, where the paper has three: short runs on a
    CPU get more steps for it. The scale is that of noise mollified at one cell of that grid.

    Example:
        >>> faces_64().level_sizes
        (32, 16, 8)
    """
    return MultiscaleConfig(local_blocks=1, position=True, scale=0.285)


def faces_128() -> MultiscaleConfig:
    """Three million parameters for pictures with the detail of a 128² grid, such as vector faces.

    As :func:`faces_64`, with a grid of 64² and one level more.

    Example:
        >>> faces_128().level_sizes
        (64, 32, 16, 8)
    """
    return MultiscaleConfig(
        local_blocks=1,
        cell=1 / 128,
        grid=(64, 64),
        channel_multipliers=(1, 2, 4, 4),
        position=True,
        scale=0.285,
    )


def tiny() -> MultiscaleConfig:
    """Some thousands of parameters for tests, with every part that the network has.

    Example:
        >>> tiny().grid
        (8, 8)
    """
    return MultiscaleConfig(
        width=8,
        kernel_size=3,
        cell=1 / 16,
        grid=(8, 8),
        grid_channels=8,
        channel_multipliers=(1, 2),
        attention=(4,),
        head_dim=8,
        embedding=16,
        position=True,
        scale=0.285,
    )
