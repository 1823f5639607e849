"""A PyTorch LSTM, trained for some steps, moves over to fastrnn: same outputs, same gradients.

    pip install fastrnn torch
    python examples/from_pytorch.py

The task is to say, at every step, the sum of the last two inputs. Printed are PyTorch's loss while it learns, and then
the largest differences between the two libraries, on new data, in outputs, last states and every gradient.
"""

import numpy as np
import torch

import fastrnn

T, batch_size, input_size = 30, 16, 8
torch.manual_seed(0)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(T, batch_size, input_size)
    before = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
    return x, (x + before).sum(2, keepdim=True)


def train(lstm: torch.nn.LSTM, linear: torch.nn.Linear, iterations: int) -> None:
    optimizer = torch.optim.Adam([*lstm.parameters(), *linear.parameters()], lr=0.01)
    for iteration in range(iterations):
        x, target = batch()
        loss = torch.nn.functional.mse_loss(linear(lstm(x)[0]), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if iteration % 50 == 0 or iteration == iterations - 1:
            print(f"PyTorch, iteration {iteration:3}: loss {loss.item():.4f}")


def difference(ours: np.ndarray, theirs: torch.Tensor) -> float:
    """The largest difference, relative to the largest number."""
    theirs = theirs.detach().numpy()
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def main() -> None:
    lstm, linear = torch.nn.LSTM(input_size, 64, num_layers=2), torch.nn.Linear(64, 1)
    train(lstm, linear, iterations=200)

    # Over it goes: the state dict loads as it is.
    layer = fastrnn.LSTM(input_size, 64, num_layers=2)
    layer.load_state_dict(lstm.state_dict())

    x, _ = batch()
    x.requires_grad_()
    lstm.zero_grad()
    y, (h, c) = lstm(x)
    dy = torch.randn(y.shape)
    y.backward(dy)

    our_y, (our_h, our_c), tape = layer.forward(x.detach().numpy())
    our_dx, _ = layer.backward(tape, dy.numpy())

    print("\nlargest difference, relative to the largest number of the array (float32 has 6e-8)")
    for name, ours, theirs in [("y", our_y, y), ("h_n", our_h, h), ("c_n", our_c, c), ("dx", our_dx, x.grad)]:
        print(f"  {name:14} {difference(ours, theirs):.1e}")
    for name, parameter in lstm.named_parameters():
        print(f"  d{name:13} {difference(layer.gradients[name], parameter.grad):.1e}")


if __name__ == "__main__":
    main()
