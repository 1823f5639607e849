"""What a model writes: sampling as NumPy would, stop strings, pieces, many texts at once."""

import numpy as np
import pytest

import fastrnn
from fastrnn.sampling import Writer
from fastrnn.text import default_text

TEXT = default_text()[:6000]


@pytest.fixture(scope="module")
def model():
    model = fastrnn.CharRNN("gru", 16, dtype="float64", seed=0, optimizer="adam", learning_rate=0.02)
    model.fit(TEXT, iterations=400)
    return model


def draw(model, n, prime, rng, temperature=1.0, top_k=None, top_p=1.0):
    """The same from predict_proba, one token after the other."""
    text = prime
    for _ in range(n):
        p = model.predict_proba(text)
        if temperature == 0:
            text += model.vocabulary.vocabulary[int(p.argmax())]
            continue
        p = p ** (1 / temperature)
        order = np.argsort(-p, kind="stable")[:top_k]
        p = p[order] / p[order].sum()
        kept = np.searchsorted(np.cumsum(p), top_p) + 1
        chosen = np.sort(order[:kept])
        weights = model.predict_proba(text)[chosen] ** (1 / temperature)
        cumulative = np.cumsum(weights / weights.sum())
        text += model.vocabulary.vocabulary[chosen[np.searchsorted(cumulative / cumulative[-1], rng.random(), "right")]]
    return text[len(prime) :]


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.5}, {"temperature": 0}, {"top_k": 4}, {"top_p": 0.7}, {"top_k": 6, "top_p": 0.8}],
    ids=str,
)
def test_samples_are_drawn_as_the_probabilities_say(model, options):
    sample = model.sample(60, "The ", rng=3, **options)
    assert sample == draw(model, 60, "The ", np.random.default_rng(3), **options)


def test_the_same_rng_gives_the_same_text_whatever_its_kind(model):
    assert model.sample(50, "a", rng=5) == model.sample(50, "a", rng=np.random.default_rng(5))
    state = np.random.RandomState(5)
    first = model.sample(50, "a", rng=state)
    assert first == model.sample(50, "a", rng=np.random.RandomState(5)) != model.sample(50, "a", rng=state)
    assert model.sample(50, "a") != model.sample(50, "a")


def test_an_empty_prime_begins_after_a_line_end_or_anywhere(model):
    assert model.sample(30, rng=1) == model.sample(30, "\n", rng=1)
    np.testing.assert_array_equal(model.predict_proba(""), model.predict_proba("\n"))
    lineless = fastrnn.CharRNN(hidden_size=4, seed=0).build("abcd")
    assert {lineless.sample(1, rng=seed) for seed in range(50)} == set("abcd")
    assert len(lineless.sample(7)) == 7
    with pytest.raises(ValueError, match="no line end"):
        lineless.predict_proba("")
    mapped = fastrnn.CharRNN(hidden_size=4, seed=0, unknown="d").build("abcd")
    with pytest.raises(ValueError, match="no line end"):
        mapped.predict_proba("")


def test_many_samples_are_a_batch(model):
    texts = model.sample(40, "The ", num_samples=5, rng=0)
    assert len(texts) == len(set(texts)) == 5
    numbers = np.random.default_rng(0).random((40, 5))

    class Column:
        def __init__(self, b):
            self.numbers = iter(numbers[:, b])

        def random(self):
            return next(self.numbers)

    assert texts == [draw(model, 40, "The ", Column(b)) for b in range(5)]
    greedy = model.sample(40, "The ", num_samples=2, temperature=0)
    assert greedy == [model.sample(40, "The ", temperature=0)] * 2


@pytest.mark.parametrize("stop", ["e", " t", ["zzz", ". ", "\n\n"], []])
def test_the_text_ends_before_the_first_stop_string(model, stop):
    whole = model.sample(600, "The ", rng=9)
    stops = [stop] if isinstance(stop, str) else stop
    end = min([whole.find(one) for one in stops if one in whole], default=len(whole))
    assert model.sample(600, "The ", stop=stop, rng=9) == whole[:end]
    assert "".join(model.stream(600, "The ", stop=stop, rng=9)) == whole[:end]
    texts = model.sample(600, "The ", stop=stop, rng=9, num_samples=3)
    assert all(one not in text for one in stops for text in texts)


def test_a_stream_comes_in_pieces_and_without_parts_of_a_stop_string(model):
    pieces = list(model.stream(100, "The ", rng=1))
    assert "".join(pieces) == model.sample(100, "The ", rng=1)
    assert len(pieces) > 10
    assert all(pieces)
    stream = model.stream(10**9, rng=1)
    assert next(stream)
    assert next(stream)
    with pytest.raises(ValueError, match="temperature"):
        model.stream(5, temperature=-1)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_where_a_text_stops_does_not_depend_on_its_pieces(size):
    cases = [
        ("abababc", ("ababc",), "ab"),
        ("xabcd", ("abcd", "bc"), "xa"),  # "bc" is complete first
        ("xabcy", ("abc", "bc"), "x"),
        ("aaab", ("aab",), "a"),
        ("abab", ("abc",), "abab"),
        ("aaaa", ("aaaaa", "b"), "aaaa"),
    ]
    for text, stops, expected in cases:
        codes = np.array([ord(character) for character in text])
        writer = Writer(lambda codes, final=False: "".join(map(chr, codes)), stops)
        pieces = [writer.write(codes[begin : begin + size]) for begin in range(0, len(codes), size)]
        assert "".join(pieces) + writer.write(codes[:0], final=True) == expected


def test_bytes_of_one_character_come_out_together():
    text = "żółć 🐢 " * 30
    model = fastrnn.CharRNN(hidden_size=30, tokens="byte", seed=0, learning_rate=0.2)
    model.fit(text, iterations=300)
    sample = model.sample(200, "żółć", temperature=0)
    assert "🐢" in sample
    assert "".join(model.stream(200, "żółć", temperature=0)) == sample


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": -1}, ValueError, "n must be at least 0"),
        ({"n": 1.5}, TypeError, "n must be an integer"),
        ({"temperature": np.inf}, ValueError, "temperature must be finite"),
        ({"top_k": 0}, ValueError, "top_k must be at least 1"),
        ({"top_p": 0}, ValueError, "top_p must be above 0"),
        ({"top_p": np.nan}, ValueError, "top_p must be above 0"),
        ({"stop": ""}, ValueError, "stop must not be empty"),
        ({"stop": [3]}, TypeError, "stop must be a str"),
        ({"rng": "x"}, TypeError, "rng must be"),
        ({"num_samples": 0}, ValueError, "num_samples must be at least 1"),
        ({"prime": 3}, TypeError, "prime must be a str"),
    ],
)
def test_arguments_that_wont_do_are_named(model, arguments, error, message):
    with pytest.raises(error, match=message):
        model.sample(**{"n": 3, **arguments})


def test_no_tokens_are_an_empty_text(model):
    assert model.sample(0) == "" == "".join(model.stream(0))
    assert model.sample(0, num_samples=2) == ["", ""]
    assert model.sample(5, top_k=10**30, rng=0) == model.sample(5, rng=0)
