r"""The Cholesky factor of a covariance, refused where it is not positive to rounding."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["cholesky"]


def cholesky(
    covariance: Float[Tensor, "*batch points points"], complaint: str
) -> Float[Tensor, "*batch points points"]:
    r"""The lower triangular :math:`L` with :math:`L L^T` the covariance.

    Args:
        covariance: symmetric matrices, float64.
        complaint: what to say if one is not positive.

    Raises:
        ValueError: with the complaint, if a pivot is not above what rounding leaves of zero.

    Example:
        >>> cholesky(torch.eye(2) * 4.0, "")
        tensor([[2., 0.],
                [0., 2.]])
    """
    root, failed = torch.linalg.cholesky_ex(covariance)
    scale = covariance.diagonal(dim1=-2, dim2=-1).amax(-1, keepdim=True)
    rounding = covariance.shape[-1] * torch.finfo(covariance.dtype).eps * scale
    pivots = root.diagonal(dim1=-2, dim2=-1).square()
    if bool(failed.any()) or not bool((pivots > rounding).all()):
        raise ValueError(complaint)
    return root
