"""A server made of small fakes, on which the product's own steps run: a scratch directory stands for `/`."""
