"""The course of training, drawn by matplotlib or with characters: `fastrnn plot`."""
