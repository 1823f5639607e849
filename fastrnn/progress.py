"""How far a model's training has come, besides what its tensors say."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

from fastrnn.arguments import finite, integer, real
from fastrnn.history import History

MOST_ITERATIONS = 2**62


@dataclass
class Progress:
    """iterations done; the last one's loss, and the smooth loss, None before there is one; the history; the iteration
    after which it gets the next record, if training was on its way there; the best validation loss and how many records
    came after it; the text or the examples (`fingerprint`, the share of it held out), and the position in it."""

    smooth_loss: float | None
    iterations: int = 0
    loss: float | None = None
    history: History = field(default_factory=History)
    record_at: int | None = None
    best_loss: float | None = None
    without_improvement: int = 0
    fingerprint: str | None = None
    validation: float = 0.0
    position: int = 0

    def __post_init__(self) -> None:
        for name in ("iterations", "without_improvement", "position"):
            if integer(getattr(self, name), name, 0) > MOST_ITERATIONS:
                raise ValueError(f"{name} must be at most 2**62")
        for name in ("smooth_loss", "loss", "best_loss"):
            if getattr(self, name) is not None:
                finite(getattr(self, name), name)
        if self.fingerprint is not None and not isinstance(self.fingerprint, str):
            raise TypeError(f"fingerprint must be a str or None, not {type(self.fingerprint).__name__}")
        if self.record_at is not None and integer(self.record_at, "record_at", 1) and self.loss is None:
            raise ValueError("record_at must be None before the first iteration")
        validation_share(self.validation)

    def record_is_due(self) -> bool:
        """Whether the history gets a record now, which a Ctrl-C may have prevented."""
        return self.record_at == self.iterations

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {**values, "history": self.history.as_json()}

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """What `as_json` returned; TypeError or ValueError for anything else."""
        names = [entry.name for entry in fields(cls)]
        if not isinstance(values, dict) or sorted(values) != sorted(names):
            raise ValueError(f"training must have the entries {', '.join(names)}")
        return cls(**{**values, "history": History.from_json(values["history"])})


def validation_share(value: Any) -> float:
    """value as the share of a text that is held out, in [0, 1); TypeError or ValueError otherwise."""
    share = real(value, "validation")
    if not 0 <= share < 1:
        raise ValueError(f"validation must be at least 0 and below 1, the share to hold out, not {value}")
    return share
