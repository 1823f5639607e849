"""Karpathy's min-char-rnn on a text such as Kafka's Metamorphosis, over 100,000 iterations.

    python examples/kafka.py FILE [SEED]

Printed are the vocabulary, the first sequence as the network reads it, and, every 1000 iterations, the smooth loss and
200 characters that the network writes.
"""

import sys
from pathlib import Path

import numpy as np
import script_weights

import fastrnn

file, seed = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
data = file.read_text(encoding="utf-8")
model = fastrnn.CharRNN("rnn", 100, seq_length=25, learning_rate=1e-1, dtype="float64", seed=seed)
model.build(data)
script_weights.draw(model, seed)
print(f"data has {len(data)} chars, {len(model.vocabulary)} unique")

char_to_ix = {character: i for i, character in enumerate(model.vocabulary)}
print(char_to_ix)
print({i: character for character, i in char_to_ix.items()})
print(np.eye(len(char_to_ix))[char_to_ix["a"]])
print("inputs", [char_to_ix[character] for character in data[:25]])
print("targets", [char_to_ix[character] for character in data[1:26]])

while model.iterations <= 100_000:
    model.fit(data, iterations=1)
    print(f"iter {model.iterations - 1}, loss {model.smooth_loss:f}")
    print(f"----\n {model.sample(200, rng=model.iterations)} \n----", flush=True)
    model.fit(data, iterations=999)
