r"""Bilinear maps as operators of torch, differentiable to every order.

A map :math:`B(v, w)` that is linear in values and in a weight has the gradients

.. math:: M(g, w) = \partial_v \langle g, B(v, w)\rangle, \qquad
          C(g, v) = \partial_w \langle g, B(v, w)\rangle,

which are computed together. They are bilinear themselves, and their gradients are known: for
cotangents :math:`p` of :math:`M` and :math:`q` of :math:`C`,

.. math:: \langle p, M(g, w)\rangle + \langle q, C(g, v)\rangle
          = \langle g, B(p, w) + B(v, q)\rangle
          = \langle v, M(g, q)\rangle + \langle w, C(g, p)\rangle.

So two kernels are enough for any number of derivatives.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["bilinear"]


def bilinear(
    name: str,
    forward: Callable[..., Tensor],
    gradients: Callable[..., tuple[Tensor, Tensor]],
    *,
    rest: str = "",
) -> Callable[..., Tensor]:
    """Register a bilinear map with torch, with what autograd, compilation and vmap need to know.

    Args:
        name: the operator's name; its gradients are registered as ``name_gradients``.
        forward: takes values, a weight and the rest; gives the image, which is contiguous and as
            the values are, with the channels of the weight's last axis.
        gradients: takes the gradient of the image, the values, the weight and the rest; gives the
            contiguous gradients of the values and the weight.
        rest: the schema of further arguments, which have no gradients.

    Returns:
        The operator.
    """
    schema = f"(Tensor values, Tensor weight{rest})"
    op = torch.library.custom_op(
        f"inftydiff::{name}", _exact(forward), mutates_args=(), schema=f"{schema} -> Tensor"
    )
    op_gradients = torch.library.custom_op(
        f"inftydiff::{name}_gradients",
        _exact(gradients),
        mutates_args=(),
        schema=f"(Tensor grad, {schema[1:]} -> (Tensor, Tensor)",
    )

    def image_like(values: Tensor, weight: Tensor, *others: Any) -> Tensor:
        return values.new_empty(*values.shape[:-1], weight.shape[-1])

    def gradients_like(
        grad: Tensor, values: Tensor, weight: Tensor, *others: Any
    ) -> tuple[Tensor, Tensor]:
        return values.new_empty(values.shape), weight.new_empty(weight.shape)

    def save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.inputs = tuple(None if isinstance(x, Tensor) else x for x in inputs)
        ctx.save_for_backward(*(x for x in inputs if isinstance(x, Tensor)))

    def saved(ctx: Any) -> list[Any]:
        tensors = iter(ctx.saved_tensors)
        return [next(tensors) if x is None else x for x in ctx.inputs]

    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        values, weight, *others = saved(ctx)
        return *op_gradients(grad, values, weight, *others), *_nothing(others)

    def double_backward(ctx: Any, p: Tensor, q: Tensor) -> tuple[Any, ...]:
        grad, values, weight, *others = saved(ctx)
        along = op(p, weight, *others) + op(values, q, *others)
        return along, *op_gradients(grad, p, q, *others), *_nothing(others)

    op.register_fake(image_like)
    op_gradients.register_fake(gradients_like)
    op.register_autograd(backward, setup_context=save)
    op_gradients.register_autograd(double_backward, setup_context=save)
    op.register_vmap(_one_by_one(op))
    op_gradients.register_vmap(_one_by_one(op_gradients))
    return op


def _exact(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without automatic mixed precision, in which a backward pass may be called."""

    def exact(first: Tensor, *others: Any) -> Any:
        with torch.autocast(first.device.type, enabled=False):
            return function(first, *others)

    return exact


def _nothing(others: Sequence[Any]) -> list[Any]:
    """No gradient for anything; for a list, one nothing an element."""
    return [[None] * len(x) if isinstance(x, list | tuple) else None for x in others]


def _one_by_one(op: Callable[..., Any]) -> Callable[..., Any]:
    """The rule for vmap: one call an element of the mapped axis."""

    def rule(info: Any, axes: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        def at(i: int) -> list[Any]:
            pairs = zip(inputs, axes, strict=True)
            return [x if a is None or isinstance(a, list) else x.select(a, i) for x, a in pairs]

        outputs = [op(*at(i)) for i in range(info.batch_size)]
        if isinstance(outputs[0], Tensor):
            return torch.stack(outputs), 0
        return tuple(map(torch.stack, zip(*outputs, strict=True))), (0,) * len(outputs[0])

    return rule
