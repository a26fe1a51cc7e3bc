"""Memory that a kernel is about to touch, asked for beforehand, so that it comes all at once.

A record that no longer lies in a cache costs a wait; a kernel that goes from event to event waits
once or more for each. It cannot know a miss from a hit, but it knows what comes next.
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from models.entities import FREE, Table, find

STEPS: Final = 2
AT_ONCE: Final = 16  # events: what they touch fits into the smallest cache
LINE: Final = 64  # bytes that come from memory together
ALIGNED: Final = 16  # bytes: arrays begin at a multiple of it
_READ, _KEEP, _DATA = 0, 3, 1  # as LLVM numbers them


def _prefetching(_: Any, array: Any, index: Any) -> Any:
    """Say how a kernel asks for each line of `array[index]`: its types, and the instructions."""

    def compiled(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], shape)
        flags = [ir.Constant(number, flag) for flag in (_READ, _KEEP, _DATA)]
        kind = signature.args[0]
        items = context.make_array(kind)(context, builder, arguments[0]).data
        first = builder.bitcast(builder.gep(items, [arguments[1]]), byte)
        size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        end = [] if size <= ALIGNED else [size - 1]  # it may lie on a line of its own
        for at in (*range(0, size, LINE), *end):
            line = builder.gep(first, [ir.Constant(number, at)])
            builder.call(prefetch, [line, *flags])
        return context.get_dummy_value()

    return types.void(array, index), compiled


ask_for_item: Final[Any] = intrinsic(_prefetching)


@njit(cache=True)
def upcoming(event: int, count: int) -> range:
    """Give the next of `count` events, this one first, where it is time to ask for them."""
    if event % AT_ONCE:
        return range(event, event)
    return range(event, min(event + AT_ONCE, count))


@njit(cache=True)
def ask_for(table: Table, name: np.uint64, step: int) -> None:
    """Ask for what a lookup of the entity touches: in step 0 its place in the index, in 1 itself.

    To be called with all entities to come in one step after the other: the second needs what the
    first asked for. Nothing changes but the time that it takes.
    """
    if step == 0:
        slot = name & np.uint64(len(table.slot_row) - 1)
        ask_for_item(table.slot_row, slot)
        ask_for_item(table.slot_hash, slot)
        return
    row = find(table, name)
    if row != FREE:
        ask_for_item(table.rows, row)
