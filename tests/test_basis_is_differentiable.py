"""The cosine transforms have exact first and second derivatives."""

import pytest
from functions import values
from torch.autograd import gradcheck, gradgradcheck

from inftydiff.operators import cosine_analysis, cosine_synthesis


@pytest.mark.parametrize("transform", [cosine_analysis, cosine_synthesis])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 4)])
def test_first_and_second_derivative(transform, shape):
    x = values(0, *shape).requires_grad_()
    assert gradcheck(lambda x: transform(x, [0, 1]), x)
    assert gradgradcheck(lambda x: transform(x, [0, 1]).sin(), x)
