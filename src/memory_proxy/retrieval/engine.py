"""Recall: the turns of one scope that matter for what is being said now."""

from collections.abc import Set
from dataclasses import dataclass

from memory_proxy.core.types import Scope
from memory_proxy.retrieval.ranking import Scored, rank
from memory_proxy.retrieval.terms import query_terms
from memory_proxy.stores.base import MemoryStore

_CANDIDATES = 200
_QUERY_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class RecallEngine:
    store: MemoryStore

    async def recall(self, scope: Scope, said: str, *, held: Set[str]) -> list[Scored]:
        """Turns relevant to `said`, best first, without those whose text is in `held`: what the
        request already brings need not be recalled. Raises StoreError.
        """
        terms = query_terms(_ends(said))
        if not terms:
            return []
        candidates = await self.store.candidates(scope, terms, limit=_CANDIDATES)
        return _without_repeats(rank(candidates, terms), held)


def _ends(said: str) -> str:
    """What a long message asks stands at its beginning or its end."""
    if len(said) <= _QUERY_CHARACTERS:
        return said
    half = _QUERY_CHARACTERS // 2
    return f"{said[:half]}\n{said[-half:]}"


def _without_repeats(scored: list[Scored], held: Set[str]) -> list[Scored]:
    seen = {text.strip() for text in held}
    kept: list[Scored] = []
    for one in scored:
        text = one.turn.message.text.strip()
        if text not in seen:
            seen.add(text)
            kept.append(one)
    return kept
