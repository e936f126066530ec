"""Running work that recurses deep, on a thread with a large stack.

Owner: nobody; one piece of work runs at a time, since the recursion limit and the stack size belong to the whole process.
"""

import gc
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from engine.model.code_errors import CodeError

# Address space, used only as far as the nesting goes: LibCST takes 4 kB a level of `lambda`.
STACK_BYTES: Final = 256 * 1024 * 1024
RECURSION_LIMIT: Final = 200_000  # frames; writing a tree takes 3 to 5 a level

Answer = TypeVar("Answer")

_ONE_AT_A_TIME: Final = threading.Lock()


def run_deep(work: Callable[[], Answer]) -> Answer:
    """Run work that recurses, one at a time; raise `CodeError` (too_deep) where even this stack ends."""
    with _ONE_AT_A_TIME:
        limit = sys.getrecursionlimit()
        stack_bytes = threading.stack_size(STACK_BYTES)
        sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
        collects = gc.isenabled()
        # A tree is hundreds of thousands of objects without a cycle: looking for cycles again and
        # again while they are made costs a third of the time, more the more trees are kept.
        gc.disable()
        try:
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(work).result()
        except RecursionError as error:
            raise CodeError(
                "too_deep", "The file nests too deep to be handled; split its largest expression."
            ) from error
        finally:
            if collects:
                gc.enable()
            sys.setrecursionlimit(limit)
            threading.stack_size(stack_bytes)
