"""Latency, throughput and training-speed measurements on real input."""
