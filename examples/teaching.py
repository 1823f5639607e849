"""A vanilla RNN trained step by step, as textbooks have it: U, W, V, b, c; forward, loss, backward, update.

    python examples/teaching.py [FILE [ITERATIONS [SEED]]]

Without FILE the text is Python's own manual. Printed are, for the first sequence, the loss and the size of each
gradient, then, every 2500 iterations, the smooth loss and 50 characters that the network writes after the first word.
"""

import sys

import numpy as np

from fastrnn.teaching import RNN, DataReader


def one_step(rnn: RNN, data_reader: DataReader) -> None:
    """Forward, loss, backward and update, one by one."""
    hprev = np.zeros((rnn.hidden_size, 1))
    inputs, targets = data_reader.next_batch()
    xs, hs, ycap = rnn.forward(inputs, hprev)
    print(f"loss {rnn.loss(ycap, targets):.4f}; guessing costs {len(targets) * np.log(rnn.vocab_size):.4f}")
    gradients = rnn.backward(xs, hs, ycap, targets)
    for name, gradient in zip(("dU", "dW", "dV", "db", "dc"), gradients, strict=True):
        print(f"{name} {gradient.shape}: up to {np.abs(gradient).max():.4f}")
    rnn.update_model(*gradients)


def main() -> None:
    file = sys.argv[1] if len(sys.argv) > 1 else None
    iterations = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    np.random.seed(int(sys.argv[3]) if len(sys.argv) > 3 else 0)  # noqa: NPY002

    data_reader = DataReader(file, seq_length=25)
    start = data_reader.data.split()[0]
    rnn = RNN(hidden_size=100, vocab_size=data_reader.vocab_size, seq_length=25, lr=0.005)
    one_step(rnn, data_reader)

    def narrate(n: int, smooth_loss: float) -> None:
        if n % 2500 == 0:
            print(f"----\n {rnn.predict(data_reader, start, 50)} \n----\niter {n}, loss: {smooth_loss:f}", flush=True)

    smooth_loss = rnn.train(data_reader, iterations, narrate)
    print(f"----\n {rnn.predict(data_reader, start, 200)} \n----\nloss after {iterations} iterations: {smooth_loss:f}")


if __name__ == "__main__":
    main()
