"""min-char-rnn in JAX, as fast as it was found to go on a CPU: many iterations in one jit by lax.scan, the scan over
time unrolled whole, and the backward pass written by hand, so that the gradient of Whh is one product per sequence
where autodiff adds T outer products."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.contenders import jax_layers
from fastrnn.bench.job import Calls, Job
from fastrnn.bench.problem import ITERATIONS, Array, Problem, batch, text, weights

jax.config.update("jax_enable_x64", True)


def loss_and_gradients(parameters: Any, inputs: Any, targets: Any, hprev: Any, clip: float) -> tuple[Any, Any, Any]:
    """Loss, clipped gradients, last state. inputs, targets (T,) or (T, B); the state (H,) or (B, H); Wxh transposed."""
    Wxh_rows, Whh, Why, bh, by = parameters
    H = len(bh)

    def forward(h: Any, a: Any) -> tuple[Any, Any]:
        h = jnp.tanh(a + h @ Whh.T)
        return h, h

    h_last, hs = lax.scan(forward, hprev, Wxh_rows[inputs] + bh, unroll=len(inputs))
    states, x, y = hs.reshape(-1, H), inputs.reshape(-1), targets.reshape(-1)
    steps = jnp.arange(len(y))
    log_p = jax.nn.log_softmax(states @ Why.T + by)
    loss = -log_p[steps, y].sum()
    dy = jnp.exp(log_p).at[steps, y].add(-1)

    def backward(from_next: Any, step: Any) -> tuple[Any, Any]:
        h, dh = step
        da = (1 - h * h) * (dh + from_next)
        return da @ Whh, da

    dhs = (dy @ Why).reshape(hs.shape)
    _, das = lax.scan(backward, jnp.zeros_like(hprev), (hs, dhs), reverse=True, unroll=len(inputs))
    da = das.reshape(-1, H)
    before = jnp.concatenate([hprev[None], hs[:-1]]).reshape(-1, H)
    gradients = jnp.zeros_like(Wxh_rows).at[x].add(da), da.T @ before, dy.T @ states, da.sum(0), dy.sum(0)
    return loss, tuple(jnp.clip(gradient, -clip, clip) for gradient in gradients), h_last


def iteration(problem: Problem, characters: Any, state: Any, _: Any) -> tuple[Any, Any]:
    parameters, memories, h, p = state
    chunk = lax.dynamic_slice(characters, (p,), (problem.T + 1,))
    loss, gradients, h = loss_and_gradients(parameters, chunk[:-1], chunk[1:], h, problem.clip)
    memories = tuple(memory + gradient * gradient for memory, gradient in zip(memories, gradients, strict=True))
    parameters = tuple(
        parameter - problem.learning_rate * gradient / jnp.sqrt(memory + 1e-8)
        for parameter, gradient, memory in zip(parameters, gradients, memories, strict=True)
    )
    p += problem.T
    wraps = p + problem.T + 1 >= len(characters)
    return (parameters, memories, jnp.where(wraps, 0, h), jnp.where(wraps, 0, p)), loss


def inside(arrays: Sequence[Array]) -> tuple[Any, ...]:
    """The five arrays as they are used here: Wxh transposed, biases as vectors."""
    Wxh, Whh, Why, bh, by = arrays
    return tuple(map(jnp.asarray, (Wxh.T, Whh, Why, bh.ravel(), by.ravel())))


def outside(arrays: Sequence[Any]) -> list[Array]:
    """The reverse."""
    Wxh_rows, Whh, Why, bh, by = map(np.asarray, arrays)
    return [Wxh_rows.T, Whh, Why, bh[:, None], by[:, None]]


class Training:
    unit = ITERATIONS

    def __init__(self, problem: Problem) -> None:
        characters = jnp.asarray(text(problem.V))
        one = partial(iteration, problem, characters)
        self.iterate = jax.jit(lambda state: lax.scan(one, state, length=self.unit), donate_argnums=0)
        parameters = inside(weights(problem))
        memories = tuple(jnp.zeros_like(parameter) for parameter in parameters)
        self.state = parameters, memories, jnp.zeros(problem.H, problem.dtype), 0

    def run(self, times: int) -> None:
        for _ in range(times // self.unit):
            self.state, losses = self.iterate(self.state)
        jax.block_until_ready((self.state, losses))

    def outcome(self) -> Sequence[Array]:
        parameters, memories, h, _ = self.state
        return [*outside(parameters), *outside(memories), np.asarray(h)[:, None]]


def batched_loss(problem: Problem) -> Job:
    parameters = inside(weights(problem))
    inputs, targets, hprev = map(jnp.asarray, batch(problem))
    compiled = jax.jit(partial(loss_and_gradients, clip=problem.clip))

    def call() -> Sequence[Any]:
        loss, gradients, h = jax.block_until_ready(compiled(parameters, inputs, targets, hprev))
        return loss, *outside(gradients), h

    return Calls(call)


TASKS: dict[str, Callable[[Problem], Job]] = {"train": Training, "batch": batched_loss} | jax_layers.TASKS
