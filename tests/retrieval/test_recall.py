from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.retrieval.engine import RecallEngine
from memory_proxy.retrieval.terms import index_terms, query_terms
from memory_proxy.stores.in_memory import InMemoryStore
from tests.examples import ANN, BOB, NOON, an_exchange, assistant, user


async def recalled(
    store: InMemoryStore, said: str, held: frozenset[str] = frozenset()
) -> list[str]:
    found = await RecallEngine(store).recall(ANN, said, held=held, now=NOON)
    return [one.turn.message.text for one in found.turns]


async def a_store_with_facts() -> InMemoryStore:
    store = InMemoryStore()
    facts = [
        "My favourite colour is teal",
        "I moved to Lisbon in March for a job at the harbour",
        "My sister Marta plays the cello",
        "The deployment script lives in tools/release",
        "We are having soup tonight",
    ]
    for i, fact in enumerate(facts):
        exchange = an_exchange(user(fact), assistant("Noted."), name=f"e{i}", minute=i)
        await store.append(exchange)
    return store


async def test_the_turn_that_holds_the_words_of_the_question_comes_first() -> None:
    store = await a_store_with_facts()

    assert (await recalled(store, "What is my favourite colour?"))[0].endswith("teal")
    assert (await recalled(store, "Where did I move, and for what job?"))[0].startswith("I moved")
    assert (await recalled(store, "does my sister play?"))[0].startswith("My sister")


async def test_what_has_nothing_to_do_with_the_memory_recalls_nothing() -> None:
    store = await a_store_with_facts()

    assert await recalled(store, "Explain quantum chromodynamics to a beginner") == []
    assert await recalled(store, "and what about it?") == []
    assert await recalled(store, "") == []


async def test_what_the_request_already_holds_is_not_recalled() -> None:
    store = await a_store_with_facts()
    held = frozenset({"My favourite colour is teal "})

    assert await recalled(store, "What is my favourite colour?", held) == []


async def test_telling_counts_more_than_asking() -> None:
    store = InMemoryStore()
    await store.append(an_exchange(user("What is my favourite colour?"), name="asked", minute=5))
    await store.append(an_exchange(user("My favourite colour is teal"), name="told"))

    assert (await recalled(store, "What is my favourite colour?"))[0].endswith("teal")


async def test_of_equal_turns_the_newer_comes_first() -> None:
    store = InMemoryStore()
    for i, day in enumerate(["Monday", "Friday"]):
        await store.append(an_exchange(user(f"The meeting is {day}"), name=day, minute=i))

    assert (await recalled(store, "When is the meeting?"))[0].endswith("Friday")


async def test_the_same_words_twice_are_recalled_once() -> None:
    store = InMemoryStore()
    for name in ("a", "b"):
        await store.append(an_exchange(user("I like tea"), name=name, session=name))

    assert await recalled(store, "which tea do I like?") == ["I like tea"]


async def test_another_users_memory_is_never_recalled() -> None:
    store = InMemoryStore()
    await store.append(an_exchange(user("The canary word is ostrich"), scope=BOB))

    assert await recalled(store, "what is the canary word?") == []


def test_a_word_is_found_by_its_stem_in_any_case() -> None:
    assert query_terms("COLOURS, Deploying") == query_terms("colour deployed")


def test_stop_words_ask_for_nothing() -> None:
    assert query_terms("What is it that we should have?") == ()


def test_scripts_without_spaces_are_found_by_pairs_of_characters() -> None:
    for text, part in [
        ("我最喜欢的颜色是蓝色", "颜色"),
        ("好きな色は青です", "好き"),
        ("สีโปรดของฉัน", "โปรด"),
    ]:
        assert set(query_terms(part)) <= set(index_terms(text))


@given(st.text(max_size=400))
def test_any_text_has_terms_without_an_error(text: str) -> None:
    assert set(query_terms(text)) <= set(index_terms(text))
    assert all(0 < len(term) <= 80 for term in index_terms(text))
