"""Traits of the places in a text that a unit of a network may have learnt to tell."""

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

VOWELS = set("aeiouäöüáéíóúàèìòùâêîôûyAEIOUÄÖÜÁÉÍÓÚÀÈÌÒÙÂÊÎÔÛY")
FAR = 80  # characters: how far from its line's beginning a place may be told to be
LONG = 12  # characters: the same in a word


def traits(pieces: Sequence[str]) -> dict[str, Floats]:
    """For each trait, by name, what holds once a piece (token) of the text has been read: (n,), 1 or 0, or a number.

    A piece's traits are those of its last character. Quotation marks and brackets are taken to be closed by an empty
    line, so that a stray one does not turn the rest of the text inside out.
    """
    text = "".join(pieces)
    ends = np.cumsum([len(piece) for piece in pieces]) - 1
    found = {name: np.fromiter(map(of, text), np.float64, len(text)) for name, of in _OF_A_CHARACTER.items()}
    found |= {name: np.fromiter(of(text), np.float64, len(text)) for name, of in _OF_A_PLACE.items()}
    return {name: values[ends] for name, values in found.items()}


def _of_the_next(text: str, ends: Callable[[str], bool]) -> list[bool]:
    return [ends(character) for character in text[1:]] + [False]


def _in_quotes(text: str) -> list[bool]:
    inside, places = False, []
    for place, character in enumerate(text):
        if character == '"':
            inside = not inside
        elif character in "“„«":
            inside = True
        elif character in "”»" or text[place : place + 2] == "\n\n":
            inside = False
        places.append(inside)
    return places


def _in_brackets(text: str) -> list[bool]:
    depth, places = 0, []
    for place, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(depth - 1, 0)
        elif text[place : place + 2] == "\n\n":
            depth = 0
        places.append(depth > 0)
    return places


def _since(text: str, begins: Callable[[str], bool], most: int) -> list[int]:
    """How many characters were read since the last that `begins`, at most so many."""
    count, places = 0, []
    for character in text:
        count = 0 if begins(character) else min(count + 1, most)
        places.append(count)
    return places


def _in_an_indented_line(text: str) -> list[bool]:
    return [line[0] in " \t" for line in re.findall(r"[^\n]*\n|[^\n]+", text) for _ in line]


_OF_A_CHARACTER: dict[str, Callable[[str], bool]] = {
    "a space": lambda c: c in " \t\u00a0",
    "a line end": lambda c: c in "\r\n",
    "a letter": str.isalpha,
    "a vowel": VOWELS.__contains__,
    "upper case": str.isupper,
    "a digit": str.isdigit,
    "punctuation": lambda c: not (c.isalnum() or c.isspace()),
}

_OF_A_PLACE: dict[str, Callable[[str], "list[bool] | list[int]"]] = {
    "inside quotation marks": _in_quotes,
    "inside brackets": _in_brackets,
    "position in the line": lambda text: _since(text, "\n".__eq__, FAR),
    "position in the word": lambda text: _since(text, lambda c: not c.isalnum(), LONG),
    "in an indented line": _in_an_indented_line,
    "a space or line end comes next": lambda text: _of_the_next(text, str.isspace),
    "punctuation comes next": lambda text: _of_the_next(text, _OF_A_CHARACTER["punctuation"]),
}
