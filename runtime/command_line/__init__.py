"""What commands share: options, settings of the user, and what is printed."""
