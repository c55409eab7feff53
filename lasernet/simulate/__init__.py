"""Generators: structures and fields made from a law instead of a measurement."""
