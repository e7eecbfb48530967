"""How a loop becomes machine code: compiled at its first call, read from a cache from then on.

A cached loop knows when its own file changes, not when another does: what it calls stands in the same file, but for what is one
instruction of the machine, and for ``elementary``. Whoever calls that has its digest as a constant, which a test compares: it changes
with ``elementary``, and all that is cached of the file with it.
"""

from typing import Any

from numba import extending, njit, types
from numba.core import cgutils

machine: Any = njit(cache=True, error_model="numpy", nogil=True)
inlined: Any = njit(cache=True, error_model="numpy", nogil=True, forceinline=True)
"""For what is so short that a call would take as long."""
any_order: Any = njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc"})
"""For sums of whole numbers, exact in any order: several at a time."""
_instruction: Any = extending.intrinsic


@_instruction  # type: ignore[untyped-decorator]  # numba has no types
def store(_: Any, out: Any, at: Any, word: Any) -> Any:
    """Write the eight bytes of a word at a place of ``out``, wherever in memory that is."""

    def write(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, given[0])
        place = builder.gep(array.data, [given[1]])
        builder.store(given[2], builder.bitcast(place, given[2].type.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(out, at, word), write


@_instruction  # type: ignore[untyped-decorator]  # numba has no types
def low_zeros(_: Any, word: Any) -> Any:
    """Return how many of a word's bits are 0 below its lowest 1."""

    def count(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.cttz(given[0], cgutils.false_bit)

    return types.uint64(word), count


@_instruction  # type: ignore[untyped-decorator]  # numba has no types
def high_zeros(_: Any, word: Any) -> Any:
    """Return how many of a word's bits are 0 above its highest 1."""

    def count(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.ctlz(given[0], cgutils.false_bit)

    return types.uint64(word), count


@_instruction  # type: ignore[untyped-decorator]  # numba has no types
def word(_: Any, text: Any, at: Any) -> Any:
    """Return the eight bytes at a place of ``text``, wherever in memory that is."""

    def read(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, given[0])
        place = builder.gep(array.data, [given[1]])
        wide = context.get_value_type(types.uint64).as_pointer()
        return builder.load(builder.bitcast(place, wide), align=1)

    return types.uint64(text, at), read


@_instruction  # type: ignore[untyped-decorator]  # numba has no types
def bits(_: Any, x: Any) -> Any:
    """Return the bits of a float as a whole number."""

    def read(context: Any, builder: Any, _: Any, given: Any) -> Any:
        return builder.bitcast(given[0], context.get_value_type(types.uint64))

    return types.uint64(x), read


@_instruction  # type: ignore[untyped-decorator]  # numba has no types
def number(_: Any, word: Any) -> Any:
    """Return the float of such bits."""

    def read(context: Any, builder: Any, _: Any, given: Any) -> Any:
        return builder.bitcast(given[0], context.get_value_type(types.float64))

    return types.float64(word), read
