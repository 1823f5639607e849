"""The memory that a CharRNN takes to train on a big text.

    python -m benchmarks.models.big_text FILE --gigabytes 1

Makes a text of that size from FILE's lines, repeated and shuffled, trains on it for some iterations, and prints the
most anonymous memory (Linux's RssAnon: without the page cache, through which files are mapped) that the process had,
beyond what it had before.
"""

import argparse
import random
import tempfile
import threading
import time
from pathlib import Path

import fastrnn


def anonymous_memory() -> int:
    """Bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no RssAnon")


def write_text(source: Path, size: int, target: Path) -> None:
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    shuffle = random.Random(0).shuffle
    with open(target, "w", encoding="utf-8") as file:
        while file.tell() < size:
            shuffle(lines)
            file.writelines(lines)


class Peak(threading.Thread):
    """Looks at the memory every 10 ms, until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.before = self.most = anonymous_memory()
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.01):
            self.most = max(self.most, anonymous_memory())


def main() -> None:
    parser = argparse.ArgumentParser(description="The memory that a CharRNN takes to train on a big text.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--tokens", choices=("char", "byte", "word"), default="char")
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="for the text; not one in memory")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        text = Path(folder) / "text"
        write_text(args.file, int(args.gigabytes * 1e9), text)
        peak = Peak()
        peak.start()
        model = fastrnn.CharRNN("gru", 128, seq_length=50, batch_size=16, optimizer="adam", learning_rate=0.002,
                                tokens=args.tokens, seed=0)  # fmt: skip
        start = time.perf_counter()
        model.fit(text, iterations=1)
        encoded = time.perf_counter()
        model.fit(text, iterations=args.iterations, validation=0.0)
        trained = time.perf_counter()
        peak.stopped.set()
        peak.join()
        print(f"{text.stat().st_size} bytes, encoded in {encoded - start:.1f} s")
        print(f"{args.iterations} iterations in {trained - encoded:.1f} s, smooth loss {model.smooth_loss:.2f}")
        beyond, before = (peak.most - peak.before) / 1e6, peak.before / 1e6
        print(f"at most {beyond:.0f} MB of anonymous memory beyond the {before:.0f} before")


if __name__ == "__main__":
    main()
