"""The benchmark's end of a worker's pipes; `worker.py` is the other."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.contenders import Contender
from fastrnn.bench.ceilings import Ceilings, Probe, from_json
from fastrnn.bench.measure import Slice
from fastrnn.bench.problem import Problem


class Child:
    """A contender's process, pinned to a processor where the system can do that. `module`: the program that it runs,
    which is given the contender's name and the processor."""

    def __init__(self, contender: Contender, processor: int, module: str) -> None:
        self.name, self.dtype = contender.name, contender.dtype
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115  (closed in __exit__)
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, contender.name, str(processor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, **contender.environment},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input, self.output = self.process.stdin, self.process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.input.close()
        try:
            self.process.wait(timeout=60 if error is None else 1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()
        self.complaints.close()

    def ask(self, **command: Any) -> dict[str, Any]:
        try:
            self.input.write(json.dumps(command).encode() + b"\n")
            self.input.flush()
            answer = self.output.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            self.complaints.seek(0)
            complaint = self.complaints.read().decode(errors="replace")
            raise RuntimeError(f"{self.name} ended at {command}:\n{complaint}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def run(self, times: int, warm_up: int) -> Slice:
        return Slice(**self.ask(command="run", times=times, warm_up=warm_up))

    def seconds(self, times: int, warm_up: int) -> float:
        return self.run(times, warm_up).wall


class Worker(Child):
    """One that `worker.py` runs in."""

    def __init__(self, contender: Contender, processor: int) -> None:
        super().__init__(contender, processor, "benchmarks.worker")

    def open(self, task: str, problem: Problem) -> tuple[float, int]:
        """Makes the job ready. Its error against the reference, and the unit that `run` takes multiples of."""
        answer = self.ask(command="open", task=task, problem=dataclasses.asdict(problem))
        return answer["error"], answer["unit"]

    def close(self) -> None:
        self.ask(command="close")

    def probe(self, dtype: str, probes: tuple[Probe, ...]) -> Ceilings:
        return from_json(dtype, self.ask(command="probe", dtype=dtype, probes=probes))
