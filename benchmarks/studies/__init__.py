"""The reports' comparisons as plans: every arm trained, measured by epoch, and put into tables by one command."""
