"""fastrnn itself."""

import fastrnn
from fastrnn import min_char_rnn
from fastrnn.bench import layers, library, network
from fastrnn.bench.job import Calls, Job
from fastrnn.bench.problem import ITERATIONS, Problem, batch, weights


def batched_loss(problem: Problem) -> Job:
    lossFun, _ = min_char_rnn.bind(*weights(problem), clip=problem.clip)
    inputs, targets, hprev = batch(problem)
    return Calls(lambda: lossFun(inputs, targets, hprev))


TASKS = (
    library.tasks(min_char_rnn, unit=ITERATIONS)
    | {"batch": batched_loss, "network": network.Training}
    | layers.tasks(fastrnn)
)
