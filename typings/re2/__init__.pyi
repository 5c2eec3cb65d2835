"""The part of google-re2 that we use; the package ships no types."""

class error(Exception): ...

class Options:
    log_errors: bool
    max_mem: int

class _Match: ...

class _Regexp:
    def search(self, text: str) -> _Match | None: ...

def compile(pattern: str, options: Options | None = None) -> _Regexp: ...
