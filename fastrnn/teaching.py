"""A vanilla RNN that is taught with, under the names of the textbooks: U, W, V, b, c. Over the kernels.

    from fastrnn.teaching import RNN, DataReader

    data_reader = DataReader("book.txt", seq_length=25)
    rnn = RNN(hidden_size=100, vocab_size=data_reader.vocab_size, seq_length=25, lr=0.005)
    rnn.train(data_reader)
    print(rnn.predict(data_reader, "year", 50))

Every step of training is a method of its own: `forward`, `loss`, `backward`, `update_model`. For work rather than for
lessons there is `fastrnn.CharRNN`.

Source of the class: https://towardsdatascience.com/recurrent-neural-networks-rnns-3f06d7653a85, and the notebooks after
it. Where those slip this one does not: c is trained too, `predict` reads its start one character after the other, and
the vocabulary has the same order in every process.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import _core, layers, min_char_rnn
from fastrnn.arguments import finite, integer
from fastrnn.arrays import Array, Integers, check_shape, integer_array, real_array
from fastrnn.clipping import clip_gradient_value
from fastrnn.text import default_text, read_text

__all__ = ["RNN", "DataReader", "softmax"]

FLOAT = np.dtype(np.float64)
CLIP = 5.0  # the bound of each gradient's elements

Steps = dict[int, Array]


def softmax(x: Any, axis: int | None = None) -> Array:
    """p_i = exp(x_i) / sum over j of exp(x_j), over all elements of x, or those along an axis: softmax([1, 2, 3]) is
    [0.09003057, 0.24472847, 0.66524096].

    The largest x is subtracted first, which changes nothing but that exp can't overflow.
    """
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    p: Array = e / e.sum(axis=axis, keepdims=True)
    return p


class DataReader:
    """The characters of a text as numbers, `seq_length` of them at a time, from its beginning to its end and again.

    path: of a UTF-8 file, or None for the text that every Python has, its language's manual. seq_length T >= 1.
    ValueError for a text of fewer than T + 1 characters, or one that is not UTF-8; TypeError or ValueError for another
    path or seq_length; OSError where the file can't be read.

    Attributes: `data`, the text; `data_size`, its length; `vocab_size`, the number of different characters;
    `char_to_ix` and `ix_to_char`, dicts from those, sorted, to 0 ... vocab_size - 1 and back; `pointer`, where in the
    text the next sequence begins; `seq_length`.
    """

    def __init__(self, path: str | os.PathLike[str] | None, seq_length: int) -> None:
        if not isinstance(path, str | os.PathLike | None):
            raise TypeError(f"path must be that of a file, as a str or os.PathLike, or None, not {type(path).__name__}")
        self.seq_length = integer(seq_length, "seq_length", 1)
        self.data = default_text() if path is None else read_text(path)
        self.data_size = len(self.data)
        if self.data_size < self.seq_length + 1:
            raise ValueError(
                f"{path or 'the default text'} has {self.data_size} characters, fewer than the {self.seq_length + 1} "
                "that one sequence and its targets take: use a longer text or a smaller seq_length"
            )
        self.char_to_ix = {character: ix for ix, character in enumerate(sorted(set(self.data)))}
        self.ix_to_char = {ix: character for character, ix in self.char_to_ix.items()}
        self.vocab_size = len(self.char_to_ix)
        self.pointer = 0

    def next_batch(self) -> tuple[list[int], list[int]]:
        """inputs, targets: the next T characters, and of each the one after it.

        Where fewer than T + 2 characters are left then, the pointer goes back to the beginning.
        """
        end = self.pointer + self.seq_length
        ixes = [self.char_to_ix[character] for character in self.data[self.pointer : end + 1]]
        self.pointer = end if end + self.seq_length + 1 < self.data_size else 0
        return ixes[:-1], ixes[1:]

    def just_started(self) -> bool:
        """Whether the next sequence is the text's first: nothing stands before it, so the state must be zero."""
        return self.pointer == 0


def _encode(text: str, char_to_ix: Mapping[str, int], name: str) -> list[int]:
    """The numbers of the characters; ValueError, naming them, for some that have none."""
    unknown = sorted(set(text) - char_to_ix.keys())
    if unknown:
        raise ValueError(
            f"{name} has {', '.join(map(repr, unknown[:10]))}, which the text that was read has not: use only its "
            f"{len(char_to_ix)} characters, those in char_to_ix"
        )
    return [char_to_ix[character] for character in text]


def _parameter(letter: str, layer: str, name: str, meaning: str) -> property:
    """An attribute that is a layer's parameter, a vector as a column; what is assigned to it is copied into that."""

    def view(rnn: "RNN") -> Array:
        array: Array = getattr(rnn, layer).parameters[name]
        return array if array.ndim == 2 else array[:, np.newaxis]

    def assign(rnn: "RNN", value: Any) -> None:
        array = view(rnn)
        array[...] = real_array(value, letter, FLOAT, array.shape)

    return property(view, assign, doc=meaning)


class RNN:
    """a_t = b + W h_{t-1} + U x_t
    h_t = tanh(a_t)
    o_t = c + V h_t
    ycap_t = softmax(o_t)

    x_t is the 1-of-V code of character t, ycap_t the probabilities of character t + 1.

    U (H, V), W (H, H), V (V, H), b (H, 1), c (V, 1), with H = hidden_size units and V = vocab_size characters, are
    float64 arrays, to be read, written into, or replaced by others of their shapes. At first each of U, V, W, drawn in
    this order by `np.random.uniform`, is uniform in +-1/sqrt(n), n its columns, the numbers that come in; b and c are
    0. seq_length: the T characters of a sequence. lr: the learning rate, which can be set; as the loss is a sum over
    the sequence it has to be small, 0.005 for a book and 100 units.

    It pickles and copies. Two threads must not use one network at once. TypeError or ValueError for arguments that
    won't do.
    """

    U = _parameter("U", "_hidden", "weight_ih_l0", "(H, V), from the input to the hidden units.")
    W = _parameter("W", "_hidden", "weight_hh_l0", "(H, H), from the hidden units to themselves, a step later.")
    V = _parameter("V", "_output", "weight", "(V, H), from the hidden units to the output.")
    b = _parameter("b", "_hidden", "bias_ih_l0", "(H, 1), the hidden units' bias.")
    c = _parameter("c", "_output", "bias", "(V, 1), the output's bias.")

    def __init__(self, hidden_size: int, vocab_size: int, seq_length: int, lr: float) -> None:
        self.hidden_size = integer(hidden_size, "hidden_size", 1)
        self.vocab_size = integer(vocab_size, "vocab_size", 1)
        self.seq_length = integer(seq_length, "seq_length", 1)
        self.lr = finite(lr, "lr")
        # The layer's second bias, bias_hh, stays 0: it would only add to b.
        self._hidden = layers.RNN(self.vocab_size, self.hidden_size, dtype=FLOAT)
        self._output = layers.Linear(self.hidden_size, self.vocab_size, dtype=FLOAT)
        for layer in (self._hidden, self._output):
            layer.flat_parameters[...] = 0
        for matrix in (self.U, self.V, self.W):
            bound = math.sqrt(1 / matrix.shape[1])
            matrix[...] = np.random.uniform(-bound, bound, matrix.shape)  # noqa: NPY002

    def forward(self, inputs: Sequence[int] | Integers, hprev: Array) -> tuple[Steps, Steps, Steps]:
        """xs, hs, ycap: dicts of step t = 0 ... T-1 -> x_t (V, 1), h_t (H, 1), ycap_t (V, 1); hs[-1] is hprev.

        inputs: T >= 1 integers in [0, V). hprev (H, 1): the state before the first, float64.
        IndexError, TypeError or ValueError for others.
        """
        codes = self._codes(inputs, "inputs")
        before = real_array(hprev, "hprev", FLOAT, (self.hidden_size, 1))
        h, _ = self._hidden(codes[:, np.newaxis], before.reshape(1, 1, -1))  # (T, 1, H)
        ycap = softmax(self._output(h), axis=-1)  # (T, 1, V)
        xs = np.zeros((len(codes), self.vocab_size, 1))
        xs[np.arange(len(codes)), codes] = 1
        return dict(enumerate(xs)), {-1: before.copy(), **_columns(h)}, _columns(ycap)

    def softmax(self, x: Any) -> Array:
        """The probabilities that outputs x stand for: `fastrnn.teaching.softmax`."""
        return softmax(x)

    def loss(self, ps: Mapping[int, Array], targets: Sequence[int] | Integers) -> float:
        """sum over t of -ln ps[t][targets[t]], in nats: of ps = ycap (T of (V, 1)), and T targets in [0, V).

        Infinity where a probability is so small that it is 0.
        """
        codes = self._codes(targets, "targets")
        p = self._stacked(ps, "ps", len(codes), self.vocab_size)
        with np.errstate(divide="ignore"):
            return float(-np.log(p[np.arange(len(codes)), 0, codes]).sum())

    def backward(
        self,
        xs: Mapping[int, Array],
        hs: Mapping[int, Array],
        ycap: Mapping[int, Array],
        targets: Sequence[int] | Integers,
    ) -> tuple[Array, Array, Array, Array, Array]:
        """dU, dW, dV, db, dc: the gradients of the loss, in the parameters' shapes, clipped to [-5, 5] element by
        element, so that one that explodes does no harm.

            dy_t = ycap_t - x, x the 1-of-V code of targets[t]      dV = sum of dy_t h_t^T,  dc = sum of dy_t
            dh_t = V^T dy_t + W^T da_{t+1}
            da_t = (1 - h_t^2) * dh_t                               dW = sum of da_t h_{t-1}^T
                                                                    dU = sum of da_t x_t^T,  db = sum of da_t

        xs, hs, ycap: what `forward` returned; of hs only hs[-1] is read, as the kernels compute the others again.
        targets: T integers in [0, V). IndexError, TypeError or ValueError for others.
        """
        codes = self._codes(targets, "targets")
        T = len(codes)
        x = self._stacked(xs, "xs", T, self.vocab_size)
        dy = self._stacked(ycap, "ycap", T, self.vocab_size)
        dy[np.arange(T), 0, codes] -= 1
        before = real_array(hs[-1], "hs[-1]", FLOAT, (self.hidden_size, 1))

        h, _, hidden_tape = self._hidden.forward(x, before.reshape(1, 1, -1))
        _, output_tape = self._output.forward(h)
        both = (self._hidden, self._output)
        for layer in both:
            layer.zero_gradients()
        self._hidden.backward(hidden_tape, self._output.backward(output_tape, dy))
        clip_gradient_value(both, CLIP)
        hidden, output = self._hidden.gradients, self._output.gradients
        return (
            hidden["weight_ih_l0"].copy(),
            hidden["weight_hh_l0"].copy(),
            output["weight"].copy(),
            hidden["bias_ih_l0"][:, np.newaxis].copy(),
            output["bias"][:, np.newaxis].copy(),
        )

    def update_model(self, dU: Array, dW: Array, dV: Array, db: Array, dc: Array) -> None:
        """Stochastic gradient descent: every parameter -= lr times its gradient.

        TypeError or ValueError, before anything is changed, for a gradient that has not its parameter's shape.
        """
        parameters = {"dU": self.U, "dW": self.W, "dV": self.V, "db": self.b, "dc": self.c}
        gradients = [
            real_array(gradient, name, FLOAT, parameter.shape)
            for (name, parameter), gradient in zip(parameters.items(), (dU, dW, dV, db, dc), strict=True)
        ]
        for parameter, gradient in zip(parameters.values(), gradients, strict=True):
            parameter -= self.lr * gradient

    def train(
        self, data_reader: DataReader, iterations: int = 10_000, callback: Callable[[int, float], object] | None = None
    ) -> float:
        """Trains on the reader's sequences, from where it stands; returns the smooth loss.

        An iteration is forward, loss, backward and update_model over T characters, with the state that the sequence
        before left, or zero where the text begins. smooth_loss: at first T ln V, then 0.999 smooth_loss + 0.001 loss.
        callback(n, smooth_loss) is called after iteration n = 0, 1, ..., and ends the training by returning True.

        ValueError where the reader has another seq_length or vocab_size; NumericalError, before the update, where the
        loss is no longer finite: lower lr.
        """
        self._check_reader("seq_length", data_reader.seq_length)
        self._check_reader("vocab_size", data_reader.vocab_size)
        lossFun, _ = self._bind()
        smooth_loss, h = self.seq_length * math.log(self.vocab_size), self._zero_state()
        for n in range(integer(iterations, "iterations", 0)):
            if data_reader.just_started():
                h = self._zero_state()
            inputs, targets = data_reader.next_batch()
            # forward, loss and backward in one call of a kernel: twice as fast as one after the other.
            loss, dU, dW, dV, db, dc, h = lossFun(inputs, targets, h)
            self.update_model(dU, dW, dV, db, dc)
            smooth_loss = 0.999 * smooth_loss + 0.001 * loss
            if callback is not None and callback(n, smooth_loss) is True:
                break
        return smooth_loss

    def predict(self, data_reader: DataReader, start: str, n: int) -> str:
        """`start`, and n characters that the network writes after it.

        From a state of zero the network reads start, one character at each step; each character after it is drawn
        from the probabilities that the ones before it give, by one number of NumPy's global random state.

        data_reader: any object that has `char_to_ix` and `ix_to_char`.

        ValueError for an empty start or one with characters that are not in char_to_ix, for n < 0, and where the
        reader has another number of characters than the network; TypeError for a start that is no str.
        """
        if not isinstance(start, str):
            raise TypeError(f"start must be a str, not {type(start).__name__}")
        if not start:
            raise ValueError("start must have at least one character: the network needs one to go on from")
        self._check_reader("vocab_size", len(data_reader.char_to_ix))
        codes = _encode(start, data_reader.char_to_ix, "start")
        h = self._zero_state()
        if len(codes) > 1:
            _, hs, _ = self.forward(codes[:-1], h)
            h = hs[len(codes) - 2]
        _, sample = self._bind()
        return start + "".join(data_reader.ix_to_char[ix] for ix in sample(h, codes[-1], n))

    def _check_reader(self, name: str, its: int) -> None:
        """ValueError where the reader has another seq_length or vocab_size than the network."""
        ours = getattr(self, name)
        if ours != its:
            raise ValueError(f"data_reader must have the network's {name}, {ours}, not {its}: make both alike")

    def _bind(self) -> tuple[Callable[..., min_char_rnn.Loss], Callable[..., list[int]]]:
        return min_char_rnn.bind(self.U, self.W, self.V, self.b, self.c, clip=CLIP)

    def _zero_state(self) -> Array:
        return np.zeros((self.hidden_size, 1))

    def _codes(self, values: Sequence[int] | Integers, name: str) -> Integers:
        """values as an array (T,) of integers in [0, V), or an error."""
        array = integer_array(values, name)
        check_shape(array, name, ("T",))
        return _core.indices(array, self.vocab_size, name)

    def _stacked(self, steps: Mapping[int, Array], name: str, T: int, rows: int) -> Array:
        """The columns (rows, 1) of T steps as a new array, laid out as the layers have it, (T, 1, rows)."""
        if len(steps) != T:
            raise ValueError(f"{name} must have {T} steps, one for each target, not {len(steps)}")
        columns = [real_array(steps[t], f"{name}[{t}]", FLOAT, (rows, 1)) for t in range(T)]
        return np.stack(columns).reshape(T, 1, rows)


def _columns(rows: Array) -> Steps:
    """Rows (T, 1, n) as a dict of columns (n, 1)."""
    return {t: row.T for t, row in enumerate(rows)}
