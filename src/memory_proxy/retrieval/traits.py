"""What can be told about a message from its form, without knowing what it is about."""

import re
from enum import IntFlag, auto
from typing import Final

from memory_proxy.core.types import Message, Role
from memory_proxy.retrieval.instructions import gives_standing_instruction

_READ_CHARACTERS: Final = 4_000
_END_CHARACTERS: Final = 24

_NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty "
    "hundred thousand dozen first second third once twice"
).replace(" ", "|")
_MONTHS = (
    "january february march april may june july august september october november december"
).replace(" ", "|")
_DAYS = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"


class Trait(IntFlag):
    USER = auto()
    ASSISTANT = auto()
    ASKS = auto()  # a question stands in it
    ENDS_ASKING = auto()
    FIRST_PERSON = auto()
    PREFERENCE = auto()
    INSTRUCTION = auto()
    NUMBER = auto()
    TIME = auto()
    DENIAL = auto()


_PATTERNS: Final = {
    Trait.FIRST_PERSON: re.compile(r"\b(?:i|i'm|i've|i'd|my|we|our|me)\b"),
    Trait.NUMBER: re.compile(rf"\d|\b(?:{_NUMBERS})\b"),
    Trait.TIME: re.compile(
        rf"\b(?:yesterday|today|tonight|tomorrow|{_DAYS}|(?:{_MONTHS})|(?:19|20)\d\d|ago|since"
        r"|(?:last|next|this|past) (?:week|month|year|night|weekend|spring|summer|autumn|fall"
        r"|winter)|\d{1,2}(?:st|nd|rd|th)|recently|just|deadline"
        r"|(?:\d+|an?|few|couple of|two|three|four|five|six) (?:minute|hour|day|week|month|year)s?"
        r")\b"
    ),
}
_OF_A_PERSON: Final = {
    Trait.PREFERENCE: re.compile(
        r"\b(?:i|i'd|we) (?:(?:really|also|always|generally|usually) )?(?:prefer|like|love|enjoy"
        r"|hate|dislike|want|would like|would rather|tend to|try to avoid|avoid)\b"
        r"|\bmy (?:favou?rite|preference)|\bi'm (?:more )?(?:a fan of|into|fond of)\b"
        r"|\brather than\b|\binstead of\b"
    ),
    Trait.DENIAL: re.compile(r"\b(?:i|i've|i have|i had) (?:never|not)\b|\bnever (?:\w+ )?\w+ed\b"),
}


def traits_of(message: Message) -> Trait:
    text = message.text[:_READ_CHARACTERS].lower().replace("\u2019", "'")
    traits = Trait.USER if message.role is Role.USER else Trait.ASSISTANT
    if "?" in text:
        traits |= Trait.ASKS
    if "?" in message.text.rstrip()[-_END_CHARACTERS:]:
        traits |= Trait.ENDS_ASKING
    patterns = dict(_PATTERNS)
    if message.role is Role.USER:
        patterns |= _OF_A_PERSON
    for trait, pattern in patterns.items():
        if pattern.search(text):
            traits |= trait
    if message.role is Role.USER and gives_standing_instruction(message.text):
        traits |= Trait.INSTRUCTION
    return traits
