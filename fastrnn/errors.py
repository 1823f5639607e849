"""The exceptions that are fastrnn's own. Wrong arguments raise ValueError, TypeError or IndexError, as in NumPy."""


class FastRNNError(Exception):
    """The root of fastrnn's own exceptions."""


class ModelFileError(FastRNNError):
    """A file does not hold a whole model: it is cut, altered, from a newer version, or something else."""


class NumericalError(FastRNNError, ArithmeticError):
    """A loss, a probability or the norm of the gradients is NaN or infinite."""


class GradientCheckError(FastRNNError, AssertionError):
    """A gradient that a backward pass computed is not the loss's derivative, or the loss cannot be checked."""
