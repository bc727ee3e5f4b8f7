"""CUDA kernels and the device layer that launches them."""
