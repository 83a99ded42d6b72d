"""Shapes and types of every call, checked while the program runs."""

from inftydiff._extras import extra

__all__ = ["check_calls"]


def check_calls(package: str) -> None:
    """Let jaxtyping and beartype check the calls of all modules that are imported from now on.

    Raises:
        ModuleNotFoundError: if beartype is not installed.
    """
    with extra("test"):
        import beartype  # noqa: F401
    from jaxtyping import install_import_hook

    install_import_hook(package, "beartype.beartype")
