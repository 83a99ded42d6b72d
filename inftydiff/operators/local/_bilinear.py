r"""Bilinear maps as operators of torch, differentiable to every order.

A map :math:`B(v, w)` that is linear in values and in a weight has the gradients

.. math:: M(g, w) = \partial_v \langle g, B(v, w)\rangle, \qquad
          C(g, v) = \partial_w \langle g, B(v, w)\rangle,

which are computed together. They are bilinear themselves, and their gradients are known: for
cotangents :math:`p` of :math:`M` and :math:`q` of :math:`C`,

.. math:: \langle p, M(g, w)\rangle + \langle q, C(g, v)\rangle
          = \langle g, B(p, w) + B(v, q)\rangle
          = \langle v, M(g, q)\rangle + \langle w, C(g, p)\rangle.

So two kernels are enough for any number of derivatives, backwards and forwards. Of the two
gradients only those are computed that are asked for.

What is registered with torch serves its backward pass and its compiler. The transforms of
``torch.func`` refuse registered gradients, and forward mode takes them for zero; there the same
formulas are used as an ``autograd.Function``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad
from torch.nn import Parameter

__all__ = ["bilinear", "exact", "transformed"]

Gradients = Callable[..., tuple[Tensor | None, Tensor | None]]


def bilinear(
    name: str, forward: Callable[..., Tensor], gradients: Gradients, *, rest: str = ""
) -> Callable[..., Tensor]:
    """Register a bilinear map with torch, with what autograd, compilation and vmap need to know.

    Args:
        name: the operator's name; its gradients are registered as ``name_gradients``.
        forward: takes values, a weight and the rest; gives the image, which is contiguous and as
            the values are, with the channels of the weight's first axis.
        gradients: takes the gradient of the image, the values, the weight, the rest, and whether
            the gradient of the values and that of the weight are wanted; gives these, contiguous.
            One that is not wanted may be none.
        rest: the schema of further arguments, which have no gradients.

    Returns:
        The operator.
    """
    schema = f"(Tensor values, Tensor weight{rest})"
    kernel, kernel_of_gradients = exact(forward), exact(_filled(gradients))
    op = torch.library.custom_op(
        f"inftydiff::{name}", kernel, mutates_args=(), schema=f"{schema} -> Tensor"
    )
    op_gradients = torch.library.custom_op(
        f"inftydiff::{name}_gradients",
        kernel_of_gradients,
        mutates_args=(),
        schema=f"(Tensor grad, {schema[1:-1]}, bool of_values, bool of_weight) -> (Tensor, Tensor)",
    )

    def image_like(values: Tensor, weight: Tensor, *others: Any) -> Tensor:
        return values.new_empty(*values.shape[:-1], weight.shape[0])

    def gradients_like(
        grad: Tensor, values: Tensor, weight: Tensor, *others: Any
    ) -> tuple[Tensor, Tensor]:
        wanted = zip((values, weight), others[-2:], strict=True)
        d_values, d_weight = (x.new_empty(x.shape if there else (0,)) for x, there in wanted)
        return d_values, d_weight

    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        values, weight, *others = _saved(ctx)
        wanted = ctx.needs_input_grad[:2]
        found = of_image(grad, values, weight, *others, *wanted)
        return *_asked(found, wanted), *_nothing(others)

    def double_backward(ctx: Any, p: Tensor, q: Tensor) -> tuple[Any, ...]:
        grad, values, weight, *others, of_values, of_weight = _saved(ctx)
        of_grad, *needed = ctx.needs_input_grad[:3]
        wanted = of_weight and needed[0], of_values and needed[1]
        along = _sum(
            image(p, weight, *others) if of_grad and of_values else None,
            image(values, q, *others) if of_grad and of_weight else None,
        )
        p, q = p if of_values else values, q if of_weight else weight
        found = of_image(grad, p, q, *others, *wanted)
        return along, *_asked(found, wanted), *_nothing(others), None, None

    def tangent(ctx: Any, p: Tensor | None, q: Tensor | None, *_: Any) -> Tensor | None:
        values, weight, *others = _saved(ctx)
        return _sum(
            None if p is None else image(p, weight, *others),
            None if q is None else image(values, q, *others),
        )

    def tangents(
        ctx: Any, g: Tensor | None, p: Tensor | None, q: Tensor | None, *_: Any
    ) -> tuple[Tensor, Tensor]:
        grad, values, weight, *rest = _saved(ctx)
        g, p, q = (
            torch.zeros_like(x) if t is None else t
            for t, x in ((g, grad), (p, values), (q, weight))
        )
        ends = of_image(g, values, weight, *rest), of_image(grad, p, q, *rest)
        d_values, d_weight = (a + b for a, b in zip(*ends, strict=True))
        return d_values, d_weight

    op.register_fake(image_like)
    op_gradients.register_fake(gradients_like)
    op.register_vmap(_one_by_one(op))
    op_gradients.register_vmap(_one_by_one(op_gradients))
    image = _differentiable(op, kernel, backward, tangent)
    of_image = _differentiable(op_gradients, kernel_of_gradients, double_backward, tangents)
    return image


def _differentiable(
    op: Any,
    kernel: Callable[..., Any],
    backward: Callable[..., Any],
    tangent: Callable[..., Any],
) -> Callable[..., Any]:
    """The operator with its derivatives: registered, and as functions of autograd."""

    def flat_forward(*arguments: Any) -> Any:
        return op(*_nested(arguments))

    def flat_backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return *_flat(backward(ctx, *grads))[:-1], None

    def direct_forward(ctx: Any, *arguments: Any) -> Any:
        _save(ctx, arguments, None)
        return kernel(*arguments)

    def direct_backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        return tuple(None if isinstance(x, list) else x for x in backward(ctx, *grads))

    op.register_autograd(backward, setup_context=_save)
    mapped = _function(
        forward=flat_forward, setup_context=_save, backward=flat_backward, jvp=tangent
    )
    mapped.generate_vmap_rule = True
    direct = _function(forward=direct_forward, backward=direct_backward)

    def apply(*arguments: Any) -> Any:
        if torch.compiler.is_compiling():
            return op(*arguments)
        if transformed():
            return mapped.apply(*_flat(arguments))
        if not _plain(arguments):
            return op(*arguments)
        if torch.is_grad_enabled():
            return direct.apply(*arguments)
        return kernel(*arguments)

    return apply


def _function(**rules: Callable[..., Any]) -> Any:
    """A function of autograd with these rules."""
    return type("Bilinear", (Function,), {name: staticmethod(f) for name, f in rules.items()})


def _plain(arguments: Sequence[Any]) -> bool:
    """Whether these are tensors of memory, and nothing watches what is done to them."""
    return (
        torch._C._len_torch_dispatch_stack() == 0
        and torch._C._get_tracing_state() is None
        and all(
            type(x) in (Tensor, Parameter)
            and torch._C._dispatch_keys(x).raw_repr() in _ordinary(x.device)
            for x in arguments
            if isinstance(x, Tensor)
        )
    )


@cache
def _ordinary(device: torch.device) -> frozenset[int]:
    """What torch's dispatcher sees of tensors of memory on a device, in inference mode or not."""
    keys = set()
    for inference in () if device.type == "meta" else (False, True):
        with torch.inference_mode(inference):
            keys.add(torch._C._dispatch_keys(torch.empty(0, device=device)).raw_repr())
    return frozenset(keys)


@dataclass(frozen=True)
class _Lengths:
    """How many of the arguments before it make a list, one number for each list or argument."""

    numbers: tuple[int | None, ...]


def _flat(arguments: Sequence[Any]) -> list[Any]:
    """The arguments and the elements of lists, of which ``torch.func`` knows nothing."""
    numbers = tuple(len(x) if isinstance(x, list) else None for x in arguments)
    flat = [y for x in arguments for y in (x if isinstance(x, list) else [x])]
    return [*flat, _Lengths(numbers)]


def _nested(arguments: Sequence[Any]) -> list[Any]:
    """The arguments of ``_flat``, or, if they are not from there, what they are."""
    if not isinstance(arguments[-1], _Lengths):
        return list(arguments)
    rest = iter(arguments)
    numbers = arguments[-1].numbers
    return [next(rest) if n is None else list(islice(rest, n)) for n in numbers]


def transformed() -> bool:
    """Whether a transform of ``torch.func`` or forward mode is on, as torch itself asks."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.inputs = tuple(None if isinstance(x, Tensor) else x for x in inputs)
    tensors = [x for x in inputs if isinstance(x, Tensor)]
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)


def _saved(ctx: Any) -> list[Any]:
    tensors = iter(ctx.saved_tensors)
    return _nested([next(tensors) if x is None else x for x in ctx.inputs])


def _filled(gradients: Gradients) -> Callable[..., tuple[Tensor, Tensor]]:
    """The gradients, and something empty for one that is not wanted."""

    def filled(grad: Tensor, values: Tensor, weight: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
        found = gradients(grad, values, weight, *others)
        wanted = others[-2:]
        d_values, d_weight = (
            x.new_empty(0) if gradient is None or not there else gradient
            for x, gradient, there in zip((values, weight), found, wanted, strict=True)
        )
        return d_values, d_weight

    return filled


def _asked(found: Sequence[Tensor], wanted: Sequence[bool]) -> list[Tensor | None]:
    """The gradients that are wanted, and none for the others."""
    return [x if there else None for x, there in zip(found, wanted, strict=True)]


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The sum of what is there."""
    return a if b is None else b if a is None else a + b


def exact(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without automatic mixed precision, in which a backward pass may be called."""

    def apply(first: Tensor, *others: Any) -> Any:
        if not torch.is_autocast_enabled(first.device.type):
            return function(first, *others)
        with torch.autocast(first.device.type, enabled=False):
            return function(first, *others)

    return apply


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
