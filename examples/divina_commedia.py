"""Karpathy's min-char-rnn on a text such as the Divina Commedia, until the smooth loss has come down to 52.

    python examples/divina_commedia.py FILE [SEED]

Printed are, every 1000 iterations, 200 characters that the network writes, and the smooth loss.
"""

import sys
from pathlib import Path

import script_weights

import fastrnn

file, seed = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
model = fastrnn.CharRNN("rnn", 100, seq_length=25, learning_rate=1e-2, dtype="float64", newline="\n", seed=seed)
model.build(file)
script_weights.draw(model, seed)
characters = len(file.read_text(encoding="utf-8"))
print(f"data has {characters} characters, {len(model.vocabulary)} unique.")

while model.smooth_loss > 52:
    print(f"----\n {model.sample(200, rng=seed)} \n----")
    n = model.iterations
    model.fit(file, iterations=1)
    print(f"iter {n}, loss: {model.smooth_loss:f}", flush=True)
    model.fit(file, iterations=999, callback=lambda model, record: model.smooth_loss <= 52, every=1)
