"""The process of one contender: reads commands, one JSON object a line, and answers each with another.

    {"command": "open", "task": ..., "problem": {...}}    {"error": ..., "unit": ...}
    {"command": "close"}                                  {}                                 the job's memory is free
    {"command": "run", "times": n, "warm_up": m}          {"wall": ..., "processor": ...}    seconds a unit of work
    {"command": "probe", "dtype": ..., "probes": [...]}   {"fma": ..., ...}                  see ceilings.py

It ends with its input. `parent.py` is the other end of the pipes.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

Answer = Callable[..., dict[str, Any]]


def serve(processor: int, begin: Callable[[], Answer]) -> None:
    """Answers commands until there are no more. `begin` gives what answers them; it is called once the process is
    pinned to its processor, so that any library it imports counts that one only."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {processor})
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer
    answer = begin()
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), file=answers, flush=True)


def answering(name: str) -> Answer:
    """What answers for this contender."""
    from benchmarks.contenders import named
    from fastrnn.bench.local import Local
    from fastrnn.bench.problem import Problem

    contender = named(name)
    side = Local(name, contender.job, contender.dtype)

    def answer(command: str, **arguments: Any) -> dict[str, Any]:
        if command == "close":
            side.close()
            return {}
        if command == "open":
            error, unit = side.open(arguments["task"], Problem(**arguments["problem"]))
            return {"error": error, "unit": unit}
        if command == "run":
            piece = side.run(arguments["times"], arguments["warm_up"])
            return {"wall": piece.wall, "processor": piece.processor}
        probes = tuple((use, size) for use, size in arguments["probes"])
        return side.probe(arguments["dtype"], probes).as_json()

    return answer


if __name__ == "__main__":
    serve(int(sys.argv[2]), lambda: answering(sys.argv[1]))
