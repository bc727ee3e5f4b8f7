"""People choose between the results of several models, without names, on a local web page."""
