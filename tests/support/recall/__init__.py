"""A kind of case that the project does not ship: all that it consists of, as somebody outside would add it."""
