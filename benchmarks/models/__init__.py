"""Whole models instead of single steps: how well they do in a given time, what they cost on top of the kernels, what
memory they take. Each module here is a program of its own."""
