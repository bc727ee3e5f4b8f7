"""What a photo tells of a person's features."""
