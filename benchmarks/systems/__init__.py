"""Training whole systems beside the loops that others write for them: `python -m benchmarks.systems`."""
