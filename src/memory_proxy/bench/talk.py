"""Talk that never was: as many messages as one likes, with the statistics of real ones.

Words follow Zipf's law, with the function words of English at the top and invented ones below; a
session keeps coming back to the words of its topics; an assistant says more than a person.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Final

from memory_proxy.bench.corpus import Conversation, Corpus, Question, Said

_COMMON: Final = (
    "the i to a and it of is in that you for my we on with was but this have be so at not what"
    " can do as are me if about they or one just all will from would how out there up when like"
    " then more by some your had which time get them been an could has no did he her she who him"
).split()
_ONSETS: Final = "b bl br c ch d dr f fl g gr h j k l m n p pl pr qu r s sh st t tr v w z".split()
_VOWELS: Final = "a e i o u ai ea ou".split()
_CODAS: Final = ["", "", "n", "r", "l", "st", "ck", "m", "t", "ng"]
_VOCABULARY: Final = 30_000
_TOPIC_WORDS: Final = 40
_TOPICAL: Final = 0.25  # the share of a message's words that its topic brings
_TURNS: Final = (6, 40)  # of a session
_WORDS: Final = {"user": (3.2, 0.6), "assistant": (4.3, 0.7)}  # log-normal: mean and deviation
_START: Final = datetime(2024, 1, 1, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Language:
    words: Sequence[str]
    weights: Sequence[float] = field(init=False)

    def __post_init__(self) -> None:
        weights = accumulate(1 / (rank + 3) for rank in range(len(self.words)))
        object.__setattr__(self, "weights", list(weights))


def invented(messages: int, *, questions: int, seed: int = 1) -> Corpus:
    """A person's talk with an assistant, and questions in words that were said; the same for the
    same arguments. A question's evidence is the turn whose words it takes."""
    chance = random.Random(seed)
    language = _Language([*_COMMON, *_invented_words(chance)])
    turns = list(_turns(messages, language, chance))
    asked = chance.sample(turns, k=min(questions, len(turns)))
    end = turns[-1].at
    return Corpus(
        Path("invented"),
        Conversation("invented", "roles"),
        tuple(turns),
        tuple(_question(turn, end, chance) for turn in asked),
    )


def _invented_words(chance: random.Random) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < _VOCABULARY:
        syllables = chance.choices((1, 2, 3), (1, 4, 3))[0]
        words["".join(_syllable(chance) for _ in range(syllables))] = None
    return list(words)


def _syllable(chance: random.Random) -> str:
    return chance.choice(_ONSETS) + chance.choice(_VOWELS) + chance.choice(_CODAS)


def _turns(count: int, language: _Language, chance: random.Random) -> Iterator[Said]:
    at = _START
    number = session = 0
    while number < count:
        session += 1
        at += timedelta(hours=chance.uniform(2, 90))
        topic = chance.sample(language.words[len(_COMMON) :], k=_TOPIC_WORDS)
        for turn in range(min(chance.randint(*_TURNS), count - number)):
            at += timedelta(seconds=chance.uniform(5, 240))
            speaker = "assistant" if turn % 2 else "user"
            text = _message(speaker, topic, language, chance)
            yield Said(str(number), f"session-{session}", speaker, text, at)
            number += 1


def _message(speaker: str, topic: Sequence[str], language: _Language, chance: random.Random) -> str:
    length = max(3, min(600, round(chance.lognormvariate(*_WORDS[speaker]))))
    drawn = chance.choices(language.words, cum_weights=language.weights, k=length)
    words = [chance.choice(topic) if chance.random() < _TOPICAL else word for word in drawn]
    return " ".join(_sentences(words, chance))


def _sentences(words: list[str], chance: random.Random) -> Iterator[str]:
    while words:
        length = chance.randint(4, 18)
        sentence, words = words[:length], words[length:]
        yield " ".join(sentence).capitalize() + chance.choice(".....?!")


def _question(turn: Said, asked_at: datetime, chance: random.Random) -> Question:
    said = [word.strip(".?!").lower() for word in turn.text.split()]
    told = [word for word in said if word not in _COMMON] or said
    words = chance.sample(told, k=min(len(told), chance.randint(3, 7)))
    opening = chance.choice(("what did i say about", "when was", "how about", "do you remember"))
    text = f"{opening} {' '.join(words)}?"
    return Question(turn.id, "invented", text, (turn.id,), True, asked_at)
