"""Still pictures: the command `image`, and the filter behind it."""
