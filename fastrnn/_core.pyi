from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.floating[Any]]
_Integers = NDArray[np.integer[Any]]

def isa() -> str | None: ...
def available_isas() -> tuple[str, ...]: ...
def select_isa(name: str | None = None) -> None: ...

@final
class CharNetwork:
    Wxh: _Array
    Whh: _Array
    Why: _Array
    bh: _Array
    by: _Array
    dtype: np.dtype[Any]
    def __new__(cls, Wxh: _Array, Whh: _Array, Why: _Array, bh: _Array, by: _Array) -> CharNetwork: ...
    def loss(
        self, inputs: Sequence[int] | _Integers, targets: Sequence[int] | _Integers, hprev: _Array, clip: float = 5.0
    ) -> tuple[float, _Array, _Array, _Array, _Array, _Array, _Array]: ...
    def train(
        self,
        memory: CharNetwork,
        text: NDArray[np.int64],
        hprev: _Array,
        seq_length: int,
        position: int,
        smooth_loss: float,
        learning_rate: float,
        clip: float,
        iterations: int,
    ) -> tuple[int, int, float, float, BaseException | None]: ...
    def sample(self, h: _Array, seed_ix: int, n: int, temperature: float, bit_generator: Any) -> list[int]: ...

DECAYS: dict[str, int]

def network_offsets(
    cell: str, vocabulary: int, embedding_size: int, hidden_size: int, layers: int
) -> tuple[int, int, int, int, int]: ...

@final
class Network:
    parameters: _Array
    dtype: np.dtype[Any]
    def __new__(
        cls, cell: str, vocabulary: int, embedding_size: int, hidden_size: int, layers: int, parameters: _Array
    ) -> Network: ...
    def train(
        self,
        text: _Integers,
        states: tuple[_Array, ...],
        slots: dict[str, _Array],
        *,
        iterations: int,
        seq_length: int,
        batch_size: int,
        random_chunks: bool,
        optimizer: str,
        settings: dict[str, Any],
        **course: Any,
    ) -> tuple[int, int, float, float, BaseException | None]: ...
    def predict(
        self, tokens: NDArray[np.int64], states: tuple[_Array, ...], targets: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float64] | None, _Array]: ...
    def sample(
        self,
        first: NDArray[np.int64],
        states: tuple[_Array, ...],
        n: int,
        *,
        temperature: float,
        top_k: int,
        top_p: float,
        bit_generator: Any,
    ) -> NDArray[np.int64]: ...

COURSE: frozenset[str]
LOSSES: dict[str, int]
SOURCES: dict[str | None, int]

def conditioned_offsets(
    network: dict[str, Any], source: str | None = None, features: int = 0, encoder: dict[str, Any] | None = None
) -> tuple[dict[str, int], dict[str, int], int]: ...

@final
class Conditioned:
    parameters: _Array
    dtype: np.dtype[Any]
    def __new__(
        cls,
        parameters: _Array,
        network: dict[str, Any],
        source: str | None = None,
        features: int = 0,
        encoder: dict[str, Any] | None = None,
    ) -> Conditioned: ...
    def train(
        self,
        arrays: dict[str, NDArray[Any]],
        states: tuple[_Array, ...],
        slots: dict[str, _Array],
        *,
        iterations: int,
        batch_size: int,
        shuffle: bool,
        optimizer: str,
        settings: dict[str, Any],
        **course: Any,
    ) -> tuple[int, int, float, float, BaseException | None]: ...
    def outputs(
        self,
        inputs: NDArray[Any],
        states: tuple[_Array, ...] | None = None,
        *,
        lengths: NDArray[np.int64] | None = None,
        context: _Array | None = None,
        encoder: bool = False,
    ) -> tuple[_Array | None, tuple[_Array, ...]]: ...

def indices(values: NDArray[np.integer[Any]], count: int, name: str) -> NDArray[np.int64]: ...
def laid_out(array: _Array) -> _Array: ...

CELLS: dict[str, int]

@final
class StackTape:
    @property
    def T(self) -> int: ...
    @property
    def B(self) -> int: ...
    @property
    def one_hot(self) -> bool: ...
    dropout: _Array | None

@final
class Stack:
    parameters: _Array
    gradients: _Array
    dtype: np.dtype[Any]
    def __new__(
        cls,
        cell: str,
        input_size: int,
        hidden_size: int,
        layers: int,
        directions: int,
        bias: bool,
        parameters: _Array,
        gradients: _Array,
    ) -> Stack: ...
    def run(
        self, x: NDArray[Any], h0: tuple[_Array, ...] | None, lengths: NDArray[np.integer[Any]] | None
    ) -> tuple[_Array, tuple[_Array, ...]]: ...
    def forward(
        self,
        x: NDArray[Any],
        h0: tuple[_Array, ...] | None,
        lengths: NDArray[np.integer[Any]] | None,
        dropout: _Array | None,
    ) -> tuple[_Array, tuple[_Array, ...], StackTape]: ...
    def backward(
        self, tape: StackTape, dy: _Array, dstates: tuple[_Array | None, ...] | None, want_dx: bool
    ) -> tuple[_Array | None, tuple[_Array, ...]]: ...
    def step(self, x: Any, h: Any) -> tuple[_Array, Any]: ...

@final
class LinearTape:
    @property
    def shape(self) -> tuple[int, ...]: ...

@final
class Linear:
    def __new__(cls, W: _Array, b: _Array | None, dW: _Array, db: _Array | None) -> Linear: ...
    def run(self, value: Any) -> _Array: ...
    def forward(self, value: Any) -> tuple[_Array, LinearTape]: ...
    def output_gradient(self, tape: LinearTape, value: Any) -> _Array: ...
    def backward(self, tape: LinearTape, dy: _Array) -> _Array: ...

@final
class Embedding:
    def __new__(cls, W: _Array, dW: _Array) -> Embedding: ...
    def forward(self, indices: NDArray[np.int64]) -> _Array: ...
    def backward(self, indices: NDArray[np.int64], dy: _Array) -> None: ...

def softmax_cross_entropy(logits: _Array, targets: Sequence[int] | _Integers) -> float: ...
def sigmoid_binary_cross_entropy(logits: _Array, targets: _Array, scale: float) -> float: ...
def squared_error(outputs: _Array, targets: _Array, scale: float) -> float: ...
def clip(x: _Array, limit: float) -> None: ...
def set_zero(x: _Array) -> None: ...
def scale(x: _Array, factor: float) -> None: ...
def norm(x: _Array) -> float: ...
def adagrad(param: _Array, dparam: _Array, mem: _Array, learning_rate: float) -> None: ...
def update_sgd(
    parameters: list[_Array],
    gradients: list[_Array],
    slots: dict[str, list[_Array]],
    *,
    learning_rate: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    iteration: int,
) -> None: ...
def update_adagrad(
    parameters: list[_Array],
    gradients: list[_Array],
    slots: dict[str, list[_Array]],
    *,
    learning_rate: float,
    eps: float,
    weight_decay: float,
    eps_inside_sqrt: bool,
) -> None: ...
def update_rmsprop(
    parameters: list[_Array],
    gradients: list[_Array],
    slots: dict[str, list[_Array]],
    *,
    learning_rate: float,
    alpha: float,
    eps: float,
    momentum: float,
    weight_decay: float,
    centered: bool,
) -> None: ...
def update_adam(
    parameters: list[_Array],
    gradients: list[_Array],
    slots: dict[str, list[_Array]],
    *,
    learning_rate: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    iteration: int,
) -> None: ...
def exp(x: _Array, out: _Array) -> None: ...
def tanh(x: _Array, out: _Array) -> None: ...
def sigmoid(x: _Array, out: _Array) -> None: ...
def ceiling_fma(dtype: Any, rounds: int) -> int: ...
def ceiling_memory(ceiling: str, x: _Array, rounds: int) -> int: ...
def ceiling_wait(dtype: Any, backward: bool, rounds: int) -> None: ...
