"""Engines that run a generator, behind one protocol."""
