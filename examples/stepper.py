"""A network that is fed one vector after the other, and keeps its state: `y = rnn.step(x)`.

    python examples/stepper.py

Printed are the outputs of one layer and of two, one above the other, while they read the characters of "hello" as
1-of-4 codes: the two l get different outputs, as the state remembers what came before them. The weights are as drawn at
first.

Source: Karpathy, "The unreasonable effectiveness of recurrent neural networks", 2015.
"""

import numpy as np

import fastrnn

characters = "helo"
rng = np.random.default_rng(0)

rnn = fastrnn.Stepper(fastrnn.RNN(4, 16, rng=rng), fastrnn.Linear(16, 4, rng=rng))

rnn1 = fastrnn.Stepper(fastrnn.RNN(4, 16, rng=rng))
rnn2 = fastrnn.Stepper(fastrnn.RNN(16, 16, rng=rng), fastrnn.Linear(16, 4, rng=rng))

print("read  one layer                   two layers")
for character in "hello":
    x = np.eye(4, dtype="float32")[characters.index(character)]
    y = rnn.step(x)
    y1 = rnn1.step(x)
    deep_y = rnn2.step(y1)
    print(f"{character:4}", *(" ".join(f"{number:6.3f}" for number in numbers) for numbers in (y, deep_y)), sep="  ")

# Another sequence begins: from the state zero again, or from a state that was kept.
kept = rnn.state
rnn.reset()
h = characters.index("h")  # an integer stands for its 1-of-4 code
print(f"\nafter a reset, h again: {np.round(rnn.step(h), 3)}")
rnn.state = kept
print(f"after hello, h:         {np.round(rnn.step(h), 3)}")
