"""The process of one contender: reads commands, one JSON object a line, and answers each with another.

    {"command": "open", "task": ..., "problem": {...}}    {"error": ..., "unit": ...}
    {"command": "close"}                                  {}                                 the job's memory is free
    {"command": "run", "times": n, "warm_up": m}          {"wall": ..., "processor": ...}    seconds a unit of work
    {"command": "probe", "dtype": ..., "footprints": [...]}    {"fma": ..., "load": [...]}   see ceilings.py

It ends with its input. `parent.py` is the other end of the pipes.
"""

import gc
import json
import os
import sys
from functools import lru_cache
from typing import Any


def main(name: str, processor: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {processor})  # before any library counts the processors
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer

    from benchmarks import ceilings, check, measure
    from benchmarks.contenders import named
    from benchmarks.problem import Problem

    contender = named(name)
    prober = lru_cache(maxsize=4)(ceilings.Prober)
    job: Any = None

    def answer(command: str, **arguments: Any) -> dict[str, Any]:
        nonlocal job
        if command == "close":
            job = None
            gc.enable()
            return {}
        if command == "open":
            problem = Problem(**arguments["problem"]).of_dtype(contender.dtype)
            job = contender.job(arguments["task"], problem)
            error = check.error(job, arguments["task"], problem)
            gc.collect()
            gc.disable()
            return {"error": error, "unit": job.unit}
        if command == "run":
            piece = measure.quiet(job.run, arguments["times"], arguments["warm_up"])
            return {"wall": piece.wall, "processor": piece.processor}
        fma, load = prober(arguments["dtype"], tuple(arguments["footprints"])).probe()
        return {"fma": fma, "load": list(load.values())}

    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
