"""The training of networks in JAX as one writes it down: autodiff of the whole loss, through a scan that calls the cell
at each step. It adds up T outer products for the gradient of each weight matrix, which jax_layers.py avoids."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.contenders.jax_layers import CELLS, NetworkTraining
from fastrnn.bench.job import Job
from fastrnn.bench.problem import Problem


def gradients_and_states(
    cell: str, parameters: Any, inputs: Any, targets: Any, before: Any, divisor: int
) -> tuple[Any, Any]:
    """As jax_layers.gradients_and_states."""

    def loss(parameters: Any) -> tuple[Any, Any]:
        rows_ih, weight_hh, bias_ih, bias_hh, weight, bias = parameters

        def step(state: Any, x: Any) -> Any:
            state = CELLS[cell](state, rows_ih[x] + bias_ih, state[0] @ weight_hh.T + bias_hh)
            return state, state[0]

        last, hs = lax.scan(step, before, inputs)
        log_p = jax.nn.log_softmax(hs @ weight.T + bias)
        return -jnp.take_along_axis(log_p, targets[..., None], -1).sum() / divisor, last

    gradients, last = jax.grad(loss, has_aux=True)(parameters)
    return gradients, last


class AutodiffTraining(NetworkTraining):
    differentiate = staticmethod(gradients_and_states)


TASKS: dict[str, Callable[[Problem], Job]] = {"network": AutodiffTraining}
