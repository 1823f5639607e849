"""What `gradient_flow` found: numbers, a table, a picture, JSON."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.flow import picture

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class GradientFlow:
    """What `gradient_flow` found. Symbols: L layers, H units, K lags 0 ... K - 1, N iterations.

    dh_norm (L, K): |dL/dh_{T-k}|, the norm of the gradient of the last step's loss L with respect to each layer's
    state k steps before, mean over the sequences. dc_norm (L, K): of an LSTM the same for its cell c, of which h is
    taken to follow; None for others. Both are total derivatives: by all ways from that state to the loss, also through
    the layers above.
    singular_values: of each gate's block (H, H) of weight_hh, by name ("h" of an RNN; "r", "z", "n"; "i", "f", "g",
    "o"), (L, H), the largest first.
    saturated: by the same names, (L,), the share of the gate's values, over all units, steps and sequences, where its
    derivative has almost vanished: |tanh| > 0.97; a sigmoid below 0.03 or above 0.97; a relu at 0.
    gradient_norm (N,): the norm of the gradient with respect to all parameters, before clipping, of each training
    iteration over these sequences. clipped_share (N,): the share of its elements beyond clip_value, which clipping
    would cut; None where clip_value is.
    """

    name: str
    steps: int
    sequences: int
    dh_norm: Floats
    dc_norm: Floats | None
    singular_values: dict[str, Floats]
    saturated: dict[str, Floats]
    gradient_norm: Floats
    clip_value: float | None
    clipped_share: Floats | None

    @property
    def factor_per_step(self) -> Floats:
        """(L,): what the norm of dL/dh is multiplied by from one lag to the next, the geometric mean over all lags,
        (norm_{K-1} / norm_0)^(1 / (K-1)); NaN for a single lag, or where the norm at lag 0 is 0."""
        return _factor_per_step(self.dh_norm)

    @property
    def cell_factor_per_step(self) -> Floats | None:
        """(L,): the same for dL/dc of an LSTM; None for others."""
        return None if self.dc_norm is None else _factor_per_step(self.dc_norm)

    @property
    def shown_lags(self) -> list[int]:
        """The lags that tables show: 0, 1, 2, 4, 8, ... and the last."""
        last = self.dh_norm.shape[1] - 1
        return sorted({0, last, *(2**n for n in range(last.bit_length()))})

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON has it: arrays as lists, NaN and infinity as None."""
        return {field: _as_json(getattr(self, field)) for field in (*self.__dataclass_fields__, *_DERIVED)}

    def plot(self, target: Any) -> None:
        """Draws the picture with matplotlib (`pip install 'fastrnn[plot]'`; ImportError without it).

        target: a path to write, in the format that its ending says, of norms by lag, singular values and shares of
        saturated units side by side; or a `matplotlib.axes.Axes`, for the norms by lag alone.
        """
        picture.plot(self, target)

    def __repr__(self) -> str:
        """A table."""
        lags = self.shown_lags
        lines = [
            f"GradientFlow of {self.name}: the loss of step {self.steps}, mean of {self.sequences} sequences",
            f"{'lag':16}{''.join(f'{lag:>9}' for lag in lags)}   a step",
        ]
        rows = [("h", self.dh_norm, self.factor_per_step)]
        if self.dc_norm is not None and self.cell_factor_per_step is not None:
            rows.append(("c", self.dc_norm, self.cell_factor_per_step))
        for symbol, norms, factors in rows:
            for layer, (norm, factor) in enumerate(zip(norms, factors, strict=True)):
                numbers = "".join(f"{norm[lag]:9.2g}" for lag in lags)
                lines.append(f"{f'|dL/d{symbol}| layer {layer}':16}{numbers}  * {factor:.3f}")
        for layer in range(len(self.dh_norm)):
            largest = ", ".join(f"{name} {values[layer, 0]:.3g}" for name, values in self.singular_values.items())
            shares = ", ".join(f"{name} {values[layer]:.1%}" for name, values in self.saturated.items())
            lines.append(f"layer {layer}: largest singular value of weight_hh {largest}; saturated {shares}")
        clipping = ""
        if self.clipped_share is not None:
            clipping = f"; clip_value {self.clip_value:g} cuts {self.clipped_share.mean():.2%} of its elements"
        lines.append(f"norm of the whole gradient {self.gradient_norm.mean():.3g}{clipping}")
        return "\n".join(lines)


_DERIVED = ("factor_per_step", "cell_factor_per_step")


def _factor_per_step(norms: Floats) -> Floats:
    K = norms.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = norms[:, -1] / norms[:, 0]
    return ratio ** (1 / (K - 1)) if K > 1 else np.full(len(norms), math.nan)


def _as_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _as_json(value.tolist())
    if isinstance(value, list):
        return [_as_json(element) for element in value]
    if isinstance(value, dict):
        return {key: _as_json(element) for key, element in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
