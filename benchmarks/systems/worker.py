"""The process of one side, as benchmarks/worker.py has it for the contenders of its tasks.

{"command": "open", "system": ..., "problem": {...}}    {}
{"command": "outcome", "updates": n}                    {"weights": [...]}                 after n updates more
{"command": "run", "times": n, "warm_up": m}            {"wall": ..., "processor": ...}    seconds an update
"""

import dataclasses
import importlib
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.worker import Answer, serve


def answering(name: str) -> Answer:
    """What answers for this side."""
    from benchmarks.systems.job import Job
    from benchmarks.systems.systems import CONTENDERS, problem
    from fastrnn.bench.local import slice_of

    tasks: dict[str, Callable[[Any], Job]] = importlib.import_module(CONTENDERS[name].module).TASKS
    jobs: list[Job] = []

    def answer(command: str, **arguments: Any) -> dict[str, Any]:
        if command == "open":
            system = arguments["system"]
            jobs[:] = [tasks[system](problem(system, arguments["problem"]))]
            return {}
        (job,) = jobs
        if command == "outcome":
            job.run(arguments["updates"])
            return {"weights": [array.tolist() for array in job.outcome()]}
        return dataclasses.asdict(slice_of(job.run, arguments["times"], arguments["warm_up"]))

    return answer


if __name__ == "__main__":
    serve(int(sys.argv[2]), lambda: answering(sys.argv[1]))
