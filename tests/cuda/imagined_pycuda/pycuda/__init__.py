"""As much of pycuda as our device layer calls, over the driver library: where pycuda is not compiled."""
