"""Files: pictures read and written, plain data read strictly, outputs that are there whole or not at all."""
