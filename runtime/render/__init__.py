"""What draws a face into the frame."""
