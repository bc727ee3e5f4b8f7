"""The algorithmic teacher: draws a cartoon of a face crop along its landmarks, offline, one picture at a time."""
