"""Labels of the fields network: made by networks and rules, conditioned on attributes that people wrote down."""
