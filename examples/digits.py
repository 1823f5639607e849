"""Handwritten digits, read row by row: a classifier that sees an image of 8 x 8 pixels as 8 steps of 8 numbers.

    pip install fastrnn scikit-learn
    python examples/digits.py

Printed are the shares of 450 unseen images that are classified rightly, by a GRU and, on the same split, by
scikit-learn's logistic regression, which sees all 64 pixels at once.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import fastrnn


def split(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, 8, 8) of numbers in [0, 1], to learn from and unseen, and the digits (N,) of both."""
    images, digits = load_digits(return_X_y=True)
    parts = train_test_split(images.reshape(-1, 8, 8) / 16, digits, test_size=450, stratify=digits, random_state=seed)
    x, unseen_x, y, unseen_y = parts
    return x, unseen_x, y, unseen_y


def trained(x: np.ndarray, y: np.ndarray, seed: int = 0) -> fastrnn.SequenceModel:
    """A GRU of 64 units after 60 passes over the images."""
    model = fastrnn.SequenceModel(
        "gru", 64, learning_rate=0.01, schedule="cosine", schedule_iterations=60 * 43, seed=seed
    )
    model.fit(x, y, epochs=60)
    return model


def main() -> None:
    x, unseen_x, y, unseen_y = split()
    accuracy = trained(x, y).evaluate(unseen_x, unseen_y)["accuracy"]
    regression = LogisticRegression(max_iter=1000).fit(x.reshape(len(x), -1), y)
    baseline = regression.score(unseen_x.reshape(len(unseen_x), -1), unseen_y)
    print(f"{len(x)} images to learn from, {len(unseen_x)} unseen")
    print(f"GRU, row by row         {accuracy:.1%}")
    print(f"logistic regression     {baseline:.1%}")


if __name__ == "__main__":
    main()
