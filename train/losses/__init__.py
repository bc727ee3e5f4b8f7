"""Loss callables, one formula each."""
