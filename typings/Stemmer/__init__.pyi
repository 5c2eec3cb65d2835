"""The part of PyStemmer that we use; the package ships no types."""

from collections.abc import Sequence

class Stemmer:
    def __init__(self, algorithm: str, maxCacheSize: int = ...) -> None: ...
    def stemWords(self, words: Sequence[str]) -> list[str]: ...
