"""The error of a sample that was there when the data were opened and cannot be read now."""

from typing import final

__all__ = ["UnreadableSample"]


@final
class UnreadableSample(ValueError):
    """A sample that cannot be read, or has values that no one declared.

    The message names the file, the variable and the sample in one line. The workers of a
    ``DataLoader`` wrap it in the text of their traceback; what arrives says the same again.

    Args:
        message: what is wrong and what to do.

    Example:
        >>> import numpy as np
        >>> from inftydiff.data import field_array
        >>> gap = np.array([[[0.0, 1.0]], [[np.nan, 1.0]]])
        >>> fields = field_array({"t": gap}, ranges={"t": (0, 1)})
        >>> fields[1]
        Traceback (most recent call last):
            ...
        inftydiff.data.unreadable.UnreadableSample: 't' of sample 1 (axis 0=1) misses 1 of 2 values.
        Say by missing= what stands for them, or fill them first.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rpartition(f"{type(self).__name__}: ")[2].strip())
