"""The training of layers and networks in JAX: many iterations in one jit by lax.scan, as in jax_scan.py. The cells are
PyTorch's.

Within the scan over time there is the recurrent product only. Autodiff goes through it, but with respect to what is
added to each step's product, so that the gradient of the weights is one product per sequence here too, not T outer
products added up.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from fastrnn.bench.job import Job
from fastrnn.bench.problem import (
    Array,
    Problem,
    iterations_at_once,
    layer_weights,
    linear_weights,
    one_bias,
    streams,
)

jax.config.update("jax_enable_x64", True)


def rnn(state: Any, x: Any, u: Any) -> Any:
    """One step: x from the inputs, u from the state, (..., G * H) each."""
    return (jnp.tanh(x + u),)


def gru(state: Any, x: Any, u: Any) -> Any:
    (x_r, x_z, x_n), (u_r, u_z, u_n) = jnp.split(x, 3, -1), jnp.split(u, 3, -1)
    r, z = jax.nn.sigmoid(x_r + u_r), jax.nn.sigmoid(x_z + u_z)
    n = jnp.tanh(x_n + r * u_n)
    return (n + z * (state[0] - n),)


def lstm(state: Any, x: Any, u: Any) -> Any:
    i, f, g, o = jnp.split(x + u, 4, -1)
    c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


# Steps of time that the scan is unrolled by, as it was found to go fastest.
UNROLL = {"rnn": 25, "gru": 25, "lstm": 1}
CELLS: dict[str, Callable[[Any, Any, Any], Any]] = {"rnn": rnn, "gru": gru, "lstm": lstm}


def gradients_and_states(
    cell: str, parameters: Any, inputs: Any, targets: Any, before: Any, divisor: int
) -> tuple[Any, Any]:
    """Gradients and last states. inputs, targets (T,) or (T, B); states (H,) or (B, H); weight_ih is transposed. The
    loss is the sum over all characters, divided by `divisor`."""
    rows_ih, weight_hh, bias_ih, bias_hh, weight, bias = parameters
    transposed = weight_hh.T

    def through_time(x: Any, added: Any) -> Any:
        def step(state: Any, at_t: Any) -> Any:
            state = CELLS[cell](state, at_t[0], state[0] @ transposed + at_t[1])
            return state, state[0]

        last, hs = lax.scan(step, before, (x, added), unroll=UNROLL[cell])
        return hs, last

    x = rows_ih[inputs] + bias_ih
    added = jnp.broadcast_to(bias_hh, x.shape)
    hs, backward, last = jax.vjp(through_time, x, added, has_aux=True)
    H = hs.shape[-1]
    flat, wanted = hs.reshape(-1, H), targets.reshape(-1)
    rows = jnp.arange(len(wanted))
    p = jax.nn.softmax(flat @ weight.T + bias)
    dlogits = p.at[rows, wanted].add(-1) / divisor
    dx, du = (array.reshape(-1, array.shape[-1]) for array in backward((dlogits @ weight).reshape(hs.shape)))
    previous = jnp.concatenate([before[0][None], hs[:-1]]).reshape(-1, H)
    drows = jnp.zeros_like(rows_ih).at[inputs.reshape(-1)].add(dx)
    return (drows, du.T @ previous, dx.sum(0), du.sum(0), dlogits.T @ flat, dlogits.sum(0)), last


def iteration(
    problem: Problem, network: bool, differentiate: Callable[..., Any], whole: Any, state: Any, _: Any
) -> tuple[Any, None]:
    """Of `network` or of `layer`. `differentiate` is gradients_and_states, or what returns the same."""
    assert problem.cell is not None
    parameters, sums, h, p = state
    h = tuple(jnp.where(p == 0, 0, one) for one in h)
    chunk = lax.dynamic_slice_in_dim(whole, p, problem.T + 1)
    divisor = problem.B if network else problem.T * problem.B
    gradients, h = differentiate(problem.cell, parameters, chunk[:-1], chunk[1:], h, divisor)
    if network and one_bias(problem):
        gradients = *gradients[:3], jnp.zeros_like(gradients[3]), *gradients[4:]
    sums = tuple(total + gradient * gradient for total, gradient in zip(sums, gradients, strict=True))
    parameters = tuple(
        parameter - problem.learning_rate * gradient / (jnp.sqrt(total) + 1e-10)
        for parameter, gradient, total in zip(parameters, gradients, sums, strict=True)
    )
    p += problem.T
    return (parameters, sums, h, jnp.where(p + problem.T >= len(whole), 0, p)), None


class Training:
    network = False
    differentiate = staticmethod(gradients_and_states)

    def __init__(self, problem: Problem) -> None:
        self.unit = iterations_at_once(problem)
        whole = streams(problem)
        characters = jnp.asarray(whole[:, 0] if problem.B == 1 else whole)
        one = partial(iteration, problem, self.network, self.differentiate, characters)
        self.iterate = jax.jit(lambda state: lax.scan(one, state, length=self.unit)[0], donate_argnums=0)
        arrays = [*layer_weights(problem, problem.V).values(), *linear_weights(problem).values()]
        arrays[0] = np.ascontiguousarray(arrays[0].T)
        parameters = tuple(map(jnp.asarray, arrays))
        shape = (problem.H,) if problem.B == 1 else (problem.B, problem.H)
        h = tuple(jnp.zeros(shape, problem.dtype) for _ in range(2 if problem.cell == "lstm" else 1))
        self.state = parameters, tuple(map(jnp.zeros_like, parameters)), h, 0
        self.shape = 1, problem.B, problem.H

    def run(self, times: int) -> None:
        for _ in range(times // self.unit):
            self.state = self.iterate(self.state)
        jax.block_until_ready(self.state)

    def outcome(self) -> Sequence[Array]:
        parameters, sums, h, _ = (jax.tree.map(np.asarray, part) for part in self.state)
        slots = [total.ravel() for total in (sums[0].T, *sums[1:])]
        return [parameters[0].T, *parameters[1:], *slots, *(one.reshape(self.shape) for one in h)]


class NetworkTraining(Training):
    network = True


TASKS: dict[str, Callable[[Problem], Job]] = {"layer": Training, "network": NetworkTraining}
