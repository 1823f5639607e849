"""fastrnn's training of a whole network: the loop in which `CharRNN.fit` spends its time, called without a model."""

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from fastrnn.bench.problem import Array, Problem, iterations_at_once, layer_weights, linear_weights, text
from fastrnn.token_network import TokenLayout, TokenNetwork


def network(problem: Problem) -> TokenNetwork:
    """One recurrent layer on one-hot characters and a linear layer, with the problem's weights."""
    assert problem.cell is not None
    layout = TokenLayout(problem.cell, problem.V, None, problem.H, num_layers=1)
    made = TokenNetwork(layout, np.dtype(problem.dtype))
    members = {"rnn": layer_weights(problem, problem.V), "linear": linear_weights(problem)}
    made.load_state_dict({f"{name}.{key}": array for name, state in members.items() for key, array in state.items()})
    return made


class Training:
    """Many iterations in one native call, which cuts the text into streams as `problem.streams` does. (It begins anew a
    chunk earlier than `problem.walk` where the last chunk would end with the stream.)"""

    def __init__(self, problem: Problem) -> None:
        self.unit = iterations_at_once(problem)
        self.network = network(problem)
        self.states = self.network.zero_states(problem.B)
        self.sums = self.network.flat_zeros()
        self.position = 0
        self.train = partial(
            self.network.kernels.train,
            text(problem.V),
            self.states,
            {"sum": self.sums},
            seq_length=problem.T,
            batch_size=problem.B,
            random_chunks=False,
            optimizer="adagrad",
            settings={"eps": 1e-10, "weight_decay": 0.0, "eps_inside_sqrt": False},
            learning_rate=problem.learning_rate,
            schedule="constant",
            schedule_iterations=0,
            schedule_factor=0.0,
            warmup=0,
            clip_value=math.inf,
            clip_norm=math.inf,
            dropout=0.0,
            seed=0,
            iterations_done=0,  # nothing depends on it: the learning rate is constant, and nothing is random
            smooth_loss=math.nan,
        )

    def run(self, times: int) -> None:
        _, self.position, _, _, error = self.train(iterations=times, position=self.position)
        if error is not None:
            raise error

    def outcome(self) -> Sequence[Array]:
        sums = self.network.layout.views(self.sums).values()
        return [*self.network.parameters.values(), *(array.ravel() for array in sums), *self.states]
