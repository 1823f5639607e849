"""fastrnn itself."""

import fastrnn
from benchmarks.contenders import layers, library
from benchmarks.contenders.job import Calls, Job
from benchmarks.problem import ITERATIONS, Problem, batch, weights
from fastrnn import min_char_rnn


def batched_loss(problem: Problem) -> Job:
    lossFun, _ = min_char_rnn.bind(*weights(problem), clip=problem.clip)
    inputs, targets, hprev = batch(problem)
    return Calls(lambda: lossFun(inputs, targets, hprev))


TASKS = library.tasks(min_char_rnn, unit=ITERATIONS) | {"batch": batched_loss} | layers.tasks(fastrnn)
