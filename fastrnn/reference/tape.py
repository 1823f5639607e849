"""What `forward` keeps for `backward`."""

from typing import Any

from fastrnn.layer import Layer


class Tape:
    """What one call of a layer's `forward` keeps for the one call of its `backward` that may follow."""

    def __init__(self, layer: Layer, kept: Any) -> None:
        self._layer, self._kept = layer, kept
        self._used = False

    def close(self) -> None:
        """Makes the tape a used one, and lets go of what it kept."""
        self._kept, self._used = None, True


def read(tape: Tape, layer: Layer) -> Any:
    """What the tape keeps; ValueError if it is used already, or another layer's."""
    if not isinstance(tape, Tape):
        raise TypeError(f"tape must be what forward returned, not {type(tape).__name__}")
    if tape._layer is not layer:
        raise ValueError(f"tape is another layer's, one that is {tape._layer}: each layer takes back its own tapes")
    if tape._used:
        raise ValueError("tape is used already: backward takes one only once, so call forward again")
    return tape._kept
