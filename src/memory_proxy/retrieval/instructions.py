"""Standing instructions: what a person asked for once and for all. They are pinned, not searched,
since they seldom share a word with what they apply to."""

import re
from typing import Final

_READ_CHARACTERS: Final = 8_000
_SHOWN: Final = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|^[ \t]*>.*$|\"[^\"\n]*\"|\u201c[^\u201d\n]*\u201d",
    re.DOTALL | re.M,
)

_LEAD: Final = (
    r"(?:(?:and|but|so|also|then|ok(?:ay)?|please|oh|hey|remember|note|important|yes|no|btw)\b[,:]?\s+)*"
    r"(?:(?:i want you to|i'd like you to|i need you to|you should|you must|can you|could you|make "
    r"sure (?:to|you)|be sure to|remember to)\s+)?"
)
_RULE: Final = (
    r"(?:(?:always|never)\s+(?!mind\b|been\b|had\b|have\b|was\b|did\b|wanted\b|the\b|a\b|again\b"
    r"|in\b|got\b|ever\b|good\b|nice\b|a\b|too\b|knew\b|heard\b)\w+"
    r"|from now on\b|from here on\b|going forward\b|in (?:the )?future,|for all future\b"
    r"|(?:whenever|every time|each time|any time|anytime) (?:i|you|we)\b)"
)
_CLAUSE: Final = re.compile(
    rf"(?:\A|[.!?;:\n]\s*|,\s+|\s[-\u2013\u2014]\s+)[-*\u2022\s]*{_LEAD}(?P<rule>{_RULE})", re.I
)
_QUESTION: Final = re.compile(r"[^.!;\n?]*\?")


def gives_standing_instruction(text: str) -> bool:
    """Whether `text`, which a person wrote, holds one; what is quoted in it does not count."""
    said = without_quotations(text[:_READ_CHARACTERS])
    return any(not _QUESTION.match(said, match.start("rule")) for match in _CLAUSE.finditer(said))


def without_quotations(text: str) -> str:
    """What a person says: without code, and without what somebody else wrote."""
    return _SHOWN.sub(" ", text).replace("\u2019", "'")
