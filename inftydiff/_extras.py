"""Optional libraries, imported when first used, with an error that says how to install them."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["extra"]


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Run imports that an optional set of dependencies provides.

    Args:
        name: the extra of this package that installs what the block imports.

    Raises:
        ModuleNotFoundError: if a library is missing; the message gives the command.

    Example:
        >>> with extra("demo"):
        ...     import a_library_that_is_missing
        Traceback (most recent call last):
            ...
        ModuleNotFoundError: This needs a_library_that_is_missing, which is not installed: pip
        install "inftydiff[demo]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'This needs {error.name}, which is not installed: pip install "inftydiff[{name}]"',
            name=error.name,
        ) from error
