"""Training of the generators: data, networks, losses, one system per published method."""
