"""The words and the errors that every other layer shares. Imports nothing of ours."""
