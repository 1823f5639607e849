"""A GRU over an embedding, trained by Adam on chunks of 100 characters from anywhere in a text, for 20 epochs.

    python examples/chunks.py FILE [EPOCHS [HIDDEN_SIZE]]

Printed are, after each epoch, the average cost of a chunk, and at the end 1500 characters that the network writes at
temperature 0.75 after "this be ".
"""

import math
import sys
from pathlib import Path

import fastrnn
from fastrnn.history import Record

file = Path(sys.argv[1])
epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 20
hidden_size = int(sys.argv[3]) if len(sys.argv) > 3 else 512
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
chunks = len(text) // 100
costs: list[float] = []


def note_cost(model: fastrnn.CharRNN, record: Record) -> None:
    costs.append(100 * record.loss)


print(f"{characters} characters: guessing costs {100 * math.log(characters):.1f} a chunk")
for epoch in range(epochs):
    costs.clear()
    model.fit(text, iterations=chunks, every=1, callback=note_cost)
    print(f"Epoch  {epoch + 1}  Avg cost/chunk:  {sum(costs) / len(costs):.3f}", flush=True)
    print(f"Generated text:  {model.sample(200, 'this be ', temperature=0.75, rng=epoch)} \n")

print("this be " + model.sample(1500, "this be ", temperature=0.75, rng=0))
