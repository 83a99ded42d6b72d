"""SIMD vectors for numba's kernels: what LLVM knows as ``<lanes x float>``.

Numba turns plain loops into vector code only where it can prove that arrays do not overlap, and
keeps sums over a loop in memory. A vector is a value: it stays in registers, as long as it fits.
LLVM splits one that is wider than the processor's own.
"""

from typing import Any, no_type_check

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

__all__ = [
    "add_to",
    "array_of",
    "fetch",
    "load",
    "multiply",
    "multiply_add",
    "spread",
    "store",
    "zeros",
]


LINE = 64
"""The bytes that a processor fetches at a time."""


class VectorType(types.Type):
    """So many numbers of one floating-point type."""

    def __init__(self, scalar: Any, lanes: int) -> None:
        self.scalar, self.lanes = scalar, lanes
        super().__init__(name=f"Vector({scalar}, {lanes})")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: VectorType) -> None:
        scalar = manager.lookup(kind.scalar).get_data_type()
        super().__init__(manager, kind, ir.VectorType(scalar, kind.lanes))


@intrinsic
@no_type_check
def array_of(context, address, like):
    """Make of an address the pointer to numbers of the type of one."""
    pointer = types.CPointer(like)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(address, like), generate


@intrinsic(prefer_literal=True)
@no_type_check
def load(context, pointer, index, lanes):
    """Read a vector that begins at an index."""
    kind = VectorType(pointer.dtype, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        where = _place(context, builder, kind, arguments[0], arguments[1])
        value = builder.load(where)
        value.align = kind.scalar.bitwidth // 8
        return value

    return kind(pointer, types.intp, lanes), generate


@intrinsic(prefer_literal=True)
@no_type_check
def fetch(context, pointer, index, lanes):
    """Ask for a vector that will be read soon; an index beyond the array does no harm."""
    kind = VectorType(pointer.dtype, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        where = _place(context, builder, kind, arguments[0], arguments[1])
        byte = builder.bitcast(where, ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte.type, number, number, number]),
            "llvm.prefetch.p0i8",
        )
        line = LINE // (kind.scalar.bitwidth // 8)
        for first in range(0, kind.lanes, line):
            at = builder.gep(byte, [number(first * kind.scalar.bitwidth // 8)])
            builder.call(function, [at, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(pointer, types.intp, lanes), generate


@intrinsic
@no_type_check
def store(context, value, pointer, index):
    """Write a vector from an index on."""

    def generate(context, builder, signature, arguments):
        where = _place(context, builder, value, arguments[1], arguments[2])
        builder.store(arguments[0], where).align = value.scalar.bitwidth // 8
        return context.get_dummy_value()

    return types.void(value, pointer, types.intp), generate


@intrinsic(prefer_literal=True)
@no_type_check
def zeros(context, pointer, lanes):
    """Make a vector of zeros of a pointer's type."""
    kind = VectorType(pointer.dtype, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        return ir.Constant(context.get_value_type(kind), None)

    return kind(pointer, lanes), generate


@intrinsic(prefer_literal=True)
@no_type_check
def spread(context, scalar, lanes):
    """Make a vector of one number."""
    kind = VectorType(scalar, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        index = ir.IntType(32)
        undefined = ir.Constant(context.get_value_type(kind), ir.Undefined)
        first = builder.insert_element(undefined, arguments[0], ir.Constant(index, 0))
        everywhere = ir.Constant(ir.VectorType(index, kind.lanes), None)
        return builder.shuffle_vector(first, undefined, everywhere)

    return kind(scalar, lanes), generate


@intrinsic
@no_type_check
def multiply(context, a, b):
    """Multiply two vectors, number by number."""

    def generate(context, builder, signature, arguments):
        return builder.fmul(*arguments)

    return a(a, b), generate


@intrinsic
@no_type_check
def multiply_add(context, a, b, c):
    """Compute a · b + c, rounded once where the processor can."""

    def generate(context, builder, signature, arguments):
        kind = context.get_value_type(a)
        name = f"llvm.fmuladd.v{a.lanes}f{a.scalar.bitwidth}"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind] * 3), name
        )
        return builder.call(function, arguments)

    return a(a, b, c), generate


@intrinsic
@no_type_check
def add_to(context, pointer, amount):
    """Add to a counter that several threads share, and return what it was."""

    def generate(context, builder, signature, arguments):
        return builder.atomic_rmw("add", arguments[0], arguments[1], "seq_cst")

    return types.int64(pointer, types.int64), generate


@no_type_check
def _place(context, builder, kind, pointer, index):
    where = builder.gep(pointer, [index])
    return builder.bitcast(where, context.get_value_type(kind).as_pointer())
