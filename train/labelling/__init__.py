"""People correct the labels of face pictures on a local web page."""
