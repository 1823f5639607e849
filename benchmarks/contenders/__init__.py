"""Who is compared: each contender is one module, here or in fastrnn/bench, which names the tasks it can do in TASKS.

A contender runs in a process of its own (benchmarks/worker.py), so that each may want another version, number of
threads or memory allocator, and only what it needs is imported there.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastrnn.bench.job import Job
from fastrnn.bench.problem import Problem

LAYERS = ("layer", "network", "stream", "step", "char-gru")
ALL = ("train", "lossFun", "sample", "batch", *LAYERS)

NATIVE = "fastrnn.bench.native"


@dataclass(frozen=True)
class Contender:
    """`module` has TASKS, what makes a job of each of `tasks`. `needs`: the libraries that it
    imports, by the names to install them by too. `dtype`: the only one it computes in."""

    name: str
    module: str
    about: str
    tasks: tuple[str, ...] = ALL
    needs: tuple[str, ...] = ()
    dtype: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> list[str]:
        return [name for name in self.needs if importlib.util.find_spec(name) is None]

    def job(self, task: str, problem: Problem) -> Job:
        job: Job = importlib.import_module(self.module).TASKS[task](problem)
        return job


FASTRNN = Contender("fastrnn", NATIVE, "fastrnn's kernels")
NUMPY = (
    Contender(
        "script",
        "benchmarks.contenders.script",
        "the min-char-rnn algorithm in NumPy: one-hot vectors, np.dot for each step; always in float64",
        tasks=("train", "lossFun", "sample"),
        dtype="float64",
    ),
    Contender(
        "reference",
        "fastrnn.bench.reference",
        "fastrnn.reference, in NumPy: the same with columns of Wxh instead of one-hot vectors",
        tasks=("train", "lossFun", "sample"),
    ),
    Contender(
        "batched",
        "benchmarks.contenders.batched",
        "NumPy rewritten: one matrix product per sequence wherever the algorithm allows it",
        tasks=("train", "lossFun", "batch"),
    ),
)
PEERS = (
    Contender(
        "pytorch",
        "benchmarks.contenders.pytorch",
        "PyTorch: nn.RNN, GRU or LSTM on one-hot vectors, nn.Linear, cross_entropy, autograd, torch.optim",
        tasks=("train", "batch", *LAYERS),
        needs=("torch",),
    ),
    Contender(
        "loop",
        "benchmarks.contenders.pytorch_loop",
        "PyTorch: each layer called for every single character",
        tasks=("char-gru",),
        needs=("torch",),
    ),
    Contender(
        "jax",
        "benchmarks.contenders.jax_scan",
        "JAX: 20 iterations in one jit by lax.scan, the gradient of Whh one product per sequence",
        tasks=("train", "batch", "layer", "network"),
        needs=("jax",),
    ),
    Contender(
        "autodiff",
        "benchmarks.contenders.jax_autodiff",
        "JAX as it is mostly written: iterations in one jit as jax has, autodiff of the loss through lax.scan",
        tasks=("network",),
        needs=("jax",),
    ),
    Contender(
        "numba",
        "benchmarks.contenders.numba_dot",
        "numba: all iterations in one compiled call, np.dot for the products, otherwise as batched",
        tasks=("train",),
        needs=("numba", "scipy"),
    ),
)


def of_isa(isa: str) -> Contender:
    """fastrnn by another instruction set."""
    return Contender(f"fastrnn {isa}", NATIVE, f"fastrnn by {isa}", environment={"FASTRNN_ISA": isa})


def named(name: str) -> Contender:
    for contender in (FASTRNN, *NUMPY, *PEERS):
        if contender.name == name:
            return contender
    return of_isa(name.removeprefix("fastrnn "))
