"""Gradients: how each op is differentiated, and the walk that puts them together. Imported when first asked for."""
