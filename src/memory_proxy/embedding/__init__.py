"""Texts as vectors, by models that are optional and replaceable."""
