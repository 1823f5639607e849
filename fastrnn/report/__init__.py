"""What a model does while it reads a text, as one page: `fastrnn inspect`."""
