"""A Fourier neural operator, as a network of inftydiff."""

from infty_fno.network import FNO, FNOConfig

__all__ = ["FNO", "FNOConfig"]
