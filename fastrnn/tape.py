"""What `forward` keeps for `backward`."""

from typing import Any

from fastrnn.layer import Layer


class Tape:
    """What one call of a layer's `forward` keeps for the one call of its `backward` that may follow."""

    def __init__(self, layer: Layer, kept: Any) -> None:
        self._layer, self._kept = layer, [kept]

    def use(self) -> Any:
        """What the tape keeps, to the first who asks; ValueError to every other, also where two threads ask at once."""
        try:
            return self._kept.pop()
        except IndexError:
            raise _used() from None


def read(tape: Tape, layer: Layer) -> Any:
    """What the tape keeps, to look at; ValueError if it is used already, or another layer's."""
    if not isinstance(tape, Tape):
        raise TypeError(f"tape must be what forward returned, not {type(tape).__name__}")
    if tape._layer is not layer:
        raise ValueError(f"tape is another layer's, one that is {tape._layer}: each layer takes back its own tapes")
    try:
        return tape._kept[0]
    except IndexError:
        raise _used() from None


def _used() -> ValueError:
    return ValueError("tape is used already: backward takes one only once, so call forward again")
