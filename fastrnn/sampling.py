"""What is drawn from a model, as text: up to a stop string, or piece by piece."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.arguments import integer, real
from fastrnn.tokens import Decoder


@dataclass(frozen=True)
class Choice:
    """How a token is chosen: the arguments of `sample`, checked.

    p = softmax(y / temperature), the likeliest token for temperature 0; of the tokens the top_k likeliest, of these
    the fewest likeliest that have top_p of the probability, renormalised. Sources: Fan, Lewis and Dauphin 2018
    (top_k); Holtzman et al., "The curious case of neural text degeneration", 2020 (top_p).
    """

    temperature: float
    top_k: int
    top_p: float

    @classmethod
    def of(cls, temperature: Any, top_k: Any, top_p: Any) -> "Choice":
        """TypeError or ValueError, naming the argument, for what won't do."""
        heat = real(temperature, "temperature")
        if not (math.isfinite(heat) and heat >= 0):
            raise ValueError(f"temperature must be finite and at least 0, which is greedy, not {temperature}")
        k = 0 if top_k is None else min(integer(top_k, "top_k", 1), 2**62)
        p = 1.0 if top_p is None else real(top_p, "top_p")
        if not 0 < p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {top_p}")
        return cls(heat, k, p)


def stop_strings(stop: Any) -> tuple[str, ...]:
    """stop, a str or several, or None, as a tuple; TypeError or ValueError otherwise."""
    stops = () if stop is None else (stop,) if isinstance(stop, str) else stop
    if not isinstance(stops, Sequence) or not all(isinstance(one, str) for one in stops):
        raise TypeError(f"stop must be a str, a list of str or None, not {stop!r}")
    if "" in stops:
        raise ValueError("stop must not be empty, which stands everywhere: None stops nowhere")
    return tuple(stops)


class Writer:
    """Turns tokens into text as they come, up to the stop string that is the first to be complete (the longest of
    several).

    Text that may turn out to begin a stop string is held back until that is known, so that the pieces, joined, do not
    depend on how the tokens were divided.
    """

    def __init__(self, decoder: Decoder, stops: tuple[str, ...]) -> None:
        self._decoder, self._stops = decoder, stops
        self._held = ""
        self.stopped = False

    def write(self, codes: "NDArray[np.integer[Any]]", final: bool = False) -> str:
        """The text that is certain now; with `final` all that is left."""
        if self.stopped:
            return ""
        text = self._held + self._decoder(codes, final=final)
        found = [(begin + len(stop), begin) for stop in self._stops if (begin := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            return text[: min(found)[1]]
        certain = len(text) if final else self._certain(text)
        self._held = text[certain:]
        return text[:certain]

    def _certain(self, text: str) -> int:
        """How much of the text is before the first place from which on all of it begins a stop string."""
        certain = len(text)
        for stop in self._stops:
            begin = text.find(stop[0], max(0, len(text) - len(stop) + 1))
            while begin >= 0 and not stop.startswith(text[begin:]):
                begin = text.find(stop[0], begin + 1)
            if begin >= 0:
                certain = min(certain, begin)
        return certain
