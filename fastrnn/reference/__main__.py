"""`python -m fastrnn.reference`: min-char-rnn as a program, over NumPy."""

from fastrnn import reference, script

if __name__ == "__main__":
    script.main(reference)
