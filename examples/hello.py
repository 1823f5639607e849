"""The "hello" example of lectures: over four characters, a network learns what follows h, he, hel and hell.

    python examples/hello.py

It reads "hell" and is to say "ello": after the first l another l, after the second an o, which only the state tells
apart. Printed are, before training and after it, the probabilities of the next character at each step, and then what
the network writes when each character that it finds likeliest is fed back to it.

Source: Stanford's CS231n, lecture 8, over Karpathy's min-char-rnn.
"""

import fastrnn


def show(model: fastrnn.CharRNN, word: str) -> None:
    """A line for each step: what was read, the probabilities, and the likeliest."""
    columns = model.vocabulary.encode("helo")
    print("read      h     e     l     o    says")
    for t in range(1, len(word)):
        p = model.predict_proba(word[:t])
        numbers = "  ".join(f"{number:.2f}" for number in p[columns])
        print(f"{word[:t]:6}  {numbers}  {model.vocabulary[int(p.argmax())]}")


def main() -> None:
    model = fastrnn.CharRNN("rnn", hidden_size=16, seq_length=4, learning_rate=0.1, seed=0)
    model.build("hello")
    show(model, "hello")
    model.fit("hello", iterations=100)
    print(f"\nafter {model.iterations} iterations, loss {model.history[-1].loss:.4f} a character")
    show(model, "hello")
    print("\nh" + model.sample(4, "h", temperature=0))


if __name__ == "__main__":
    main()
