"""Seeds of random draws: whole numbers from 0 to 2⁶³ − 1, each a stream of its own.

PyTorch's generator on a processor, a Mersenne twister, reads 32 bits of the number that
``manual_seed`` is given, so that seeds 5 and 2³² + 5 would draw the same. Here a seed below 2³² is
what it is to ``manual_seed``, and a larger one fills all 624 words of the twister's state. Other
devices read all bits themselves.

References:
    M. Matsumoto and T. Nishimura, "Mersenne twister", ACM TOMACS 1998; M. E. O'Neill's seed
    sequence, as in numpy.
"""

import numpy as np
import torch

from inftydiff._typing import checked_seed

__all__ = ["generator_of", "seeds_from"]

SHORT = 2**32
"""Seeds below are given to ``manual_seed`` alone."""

WORDS = slice(24, 24 + 624 * 8)
"""The place of the twister's words in a CPU generator's bytes, eight bytes a word."""


def seeds_from(first: int, count: int, name: str = "A seed") -> range:
    """Return so many seeds in a row, refusing those out of range.

    Args:
        first: the first one.
        count: how many.
        name: what the first is called in the message.

    Raises:
        TypeError: if the first is no whole number.
        ValueError: if one of them is out of range.

    Example:
        >>> seeds_from(3, 2)
        range(3, 5)
    """
    begin = checked_seed(first, name)
    checked_seed(begin + max(0, count - 1), f"{name} and each of the {count} from it on")
    return range(begin, begin + count)


def generator_of(
    seed: int, device: torch.device | str = "cpu", *, name: str = "A seed"
) -> torch.Generator:
    """Return the generator of a seed; no two seeds have the same.

    Args:
        seed: a whole number from 0 to 2⁶³ − 1. Below 2³² it is as with ``manual_seed``.
        device: where the generator draws.
        name: what the seed is called in the message.

    Raises:
        TypeError: if it is no whole number.
        ValueError: if it is out of range.

    Example:
        >>> plain = torch.Generator().manual_seed(7)
        >>> numbers = [torch.rand(1, generator=g) for g in (plain, generator_of(7))]
        >>> numbers[0] == numbers[1], numbers[0] == torch.rand(1, generator=generator_of(2**32 + 7))
        (tensor([True]), tensor([False]))
    """
    number = checked_seed(seed, name)
    generator = torch.Generator(device).manual_seed(number)
    if number < SHORT or generator.device.type != "cpu":
        return generator
    key = np.random.MT19937(np.random.SeedSequence(number)).state["state"]["key"]
    state = generator.get_state()
    state[WORDS] = torch.from_numpy(key.astype(np.int64)).view(torch.uint8)
    return generator.set_state(state)
