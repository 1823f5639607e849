"""A GRU over an embedding, trained by Adam on chunks of 100 characters from anywhere in a text, for 20 epochs.

    python examples/chunks.py FILE [EPOCHS [HIDDEN_SIZE [PICTURE]]]

Printed are, after each epoch, the average cost of a chunk and 200 characters that the network writes, and at the end
1500 characters at temperature 0.75 after "this be ". PICTURE, such as costs.png, is where matplotlib draws the cost of
each epoch.
"""

import math
import sys
from pathlib import Path

import fastrnn
from fastrnn.history import Record

file = Path(sys.argv[1])
epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 20
hidden_size = int(sys.argv[3]) if len(sys.argv) > 3 else 512
picture = Path(sys.argv[4]) if len(sys.argv) > 4 else None
text = file.read_text(encoding="utf-8").lower()
characters = len(set(text))

model = fastrnn.CharRNN(
    "gru",
    hidden_size,
    embedding_size=characters,
    seq_length=100,
    chunks="random",
    optimizer="adam",
    learning_rate=0.001,
    clip_value=None,
    seed=0,
)


def generate(prime_str: str = "a", str_len: int = 150, temperature: float = 0.75, seed: int = 0) -> str:
    """prime_str, which the network reads from a state of zero, and str_len characters after it, each drawn from
    softmax(outputs / temperature): the higher the temperature, the flatter the distribution, the more random the
    text."""
    written: str = model.sample(str_len, prime_str, temperature=temperature, rng=seed)
    return prime_str + written


def draw(costs: list[float], path: Path) -> None:
    """The cost of each epoch as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    axes = figure.add_subplot(xlabel="Epoch", ylabel="Cost")
    axes.plot(range(1, len(costs) + 1), costs, "b", marker="o")
    figure.savefig(path)


def epoch_cost() -> float:
    """The average cost of a chunk, nats, in an epoch of as many chunks as the text is long."""
    costs: list[float] = []

    def note(model: fastrnn.CharRNN, record: Record) -> None:
        costs.append(100 * record.loss)

    model.fit(text, iterations=len(text) // 100, every=1, callback=note)
    return sum(costs) / len(costs)


if picture is not None:
    draw([], picture)  # where that cannot be done, the first epoch need not be waited for
print(f"{characters} characters: guessing costs {100 * math.log(characters):.1f} a chunk")
costs: list[float] = []
for epoch in range(epochs):
    costs.append(epoch_cost())
    print(f"Epoch  {epoch + 1}  Avg cost/chunk:  {costs[-1]:.3f}", flush=True)
    print(f"Generated text:  {generate('this be ', 200, seed=epoch)} \n")
    if picture is not None:
        draw(costs, picture)

print(generate("this be ", 1500, 0.75))
