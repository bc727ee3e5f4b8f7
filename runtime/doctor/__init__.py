"""What works on this machine, tried for real."""
