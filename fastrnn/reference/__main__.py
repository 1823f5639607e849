"""`python -m fastrnn.reference`: min-char-rnn as a program, over NumPy."""

from fastrnn import reference, script

script.main(reference)
