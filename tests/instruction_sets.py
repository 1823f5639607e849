"""Which kernels run, while something is looked at."""

import contextlib

from fastrnn import _core


@contextlib.contextmanager
def kernels_of(isa):
    """Those of an instruction set, and after that the ones that ran before."""
    before = _core.isa()
    _core.select_isa(isa)
    try:
        yield
    finally:
        _core.select_isa(before)
