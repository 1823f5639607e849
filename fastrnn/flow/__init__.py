"""How gradients flow back through time: `fastrnn.gradient_flow`, what it returns, and what it is made of."""
