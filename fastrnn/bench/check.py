"""Is it the same work? What a contender computes, held against fastrnn.reference in float64, from the same weights."""

from collections.abc import Sequence

import numpy as np

from fastrnn import reference
from fastrnn.bench.job import Job
from fastrnn.bench.library import Training
from fastrnn.bench.problem import ITERATIONS, Array, Problem, batch, checked_iterations, weights
from fastrnn.bench.reference import TASKS


def _train(problem: Problem) -> Sequence[Array]:
    job = Training(reference, problem.of_dtype("float64"), unit=1)
    for parameter, initial in zip(job.trainer.parameters, weights(problem), strict=True):
        parameter[:] = initial  # as rounded to the problem's dtype
    job.run(ITERATIONS)
    return job.outcome()


def _sequences(problem: Problem) -> Sequence[Array]:
    """Loss and gradients summed over the batch, and then clipped; the last states (B, H)."""
    lossFun, _ = reference.bind(*(array.astype(np.float64) for array in weights(problem)), clip=float("inf"))
    inputs, targets, states = batch(problem)
    results = [lossFun(inputs[:, b], targets[:, b], states[b][:, None].astype(float)) for b in range(problem.B)]
    loss, *gradients = (sum(result[i] for result in results) for i in range(6))
    clipped = [np.clip(gradient, -problem.clip, problem.clip) for gradient in gradients]
    return [np.asarray(loss), *clipped, np.stack([result[6].ravel() for result in results])]


def _loss_fun(problem: Problem) -> Sequence[Array]:
    job = TASKS["lossFun"](problem.of_dtype("float64"))
    job.run(1)
    return job.outcome()


def _layers(task: str, problem: Problem) -> Sequence[Array]:
    job = TASKS[task](problem.of_dtype("float64"))
    job.run(checked_iterations(task, problem))
    return job.outcome()


def expected(task: str, problem: Problem) -> Sequence[Array]:
    if task == "sample":  # in the same dtype: one rounding more, and another character is drawn
        return TASKS["sample"](problem).outcome()
    if problem.cell is not None:
        return _layers(task, problem)
    return {"train": _train, "lossFun": _loss_fun, "batch": _sequences}[task](problem)


def error(job: Job, task: str, problem: Problem) -> float:
    """The largest difference of any number, relative to its array's largest, unless all of these are 0, after
    `checked_iterations`. For sample: the share of characters that differ. Runs the job, which must be new."""
    job.run(checked_iterations(task, problem))
    pairs = list(zip(job.outcome(), expected(task, problem), strict=True))
    if task == "sample":
        return float(np.mean([np.mean(a != b) for a, b in pairs]))
    for a, b in pairs:
        if a.shape != b.shape:
            raise ValueError(f"{task}: {a.shape} came where {b.shape} was expected")
    return float(np.max([np.max(np.abs(a - b)) / (np.max(np.abs(b)) or 1) for a, b in pairs]))  # NaN, if one is NaN
