"""What a style decides: the rules of a style file, their keys, and what a user may change of them."""
