import pytest

from memory_proxy.core.errors import EmbeddingError, TextsRefused
from memory_proxy.embedding.guarded import GuardedEmbedder
from tests.embedding.scripted import ScriptedEmbedder


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def scripted() -> ScriptedEmbedder:
    return ScriptedEmbedder()


async def test_before_it_is_open_it_has_no_id_and_no_vectors(scripted: ScriptedEmbedder) -> None:
    async with GuardedEmbedder(scripted) as guarded:
        assert guarded.id is None
        assert guarded.trouble is None
        with pytest.raises(EmbeddingError, match="not open yet"):
            await guarded.embed(["tea"])

        assert await guarded.open() == "scripted:256"
        assert guarded.id == "scripted:256"
        assert (await guarded.embed(["tea"])).shape == (1, 256)
    assert not scripted.is_open


async def test_one_that_does_not_open_is_tried_again_later(scripted: ScriptedEmbedder) -> None:
    clock = Clock()
    scripted.trouble = "no model"
    async with GuardedEmbedder(scripted, now=clock) as guarded:
        for _ in range(2):
            with pytest.raises(EmbeddingError, match="no model"):
                await guarded.open()
        assert guarded.trouble == "no model"

        scripted.trouble = None
        clock.now += guarded.retry_in_s
        await guarded.open()

        assert guarded.trouble is None
        assert guarded.id == "scripted:256"


async def test_after_a_failure_it_is_left_alone_ever_longer(scripted: ScriptedEmbedder) -> None:
    clock = Clock()
    async with GuardedEmbedder(scripted, now=clock) as guarded:
        await guarded.open()
        scripted.trouble = "crashed"
        pauses: list[float] = []
        for _ in range(8):
            for _ in range(2):
                with pytest.raises(EmbeddingError, match="crashed"):
                    await guarded.embed(["tea"])
            pauses.append(guarded.retry_in_s)
            clock.now += guarded.retry_in_s

        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
        assert len(scripted.asked) == 8


async def test_when_it_works_again_all_is_forgiven(
    scripted: ScriptedEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    caplog.set_level("INFO")
    async with GuardedEmbedder(scripted, now=clock) as guarded:
        await guarded.open()
        for _ in range(2):
            scripted.trouble = "crashed"
            with pytest.raises(EmbeddingError):
                await guarded.embed(["tea"])
            assert guarded.retry_in_s == 1
            scripted.trouble = None
            clock.now += 1
            await guarded.embed(["tea"])
            assert guarded.trouble is None

    said = [record.message for record in caplog.records]
    assert said == ["no vectors; recall goes by words", "the embedder works again"] * 2


async def test_a_text_that_is_refused_is_no_failure(scripted: ScriptedEmbedder) -> None:
    scripted.refuses = "long"
    async with GuardedEmbedder(scripted) as guarded:
        await guarded.open()
        with pytest.raises(TextsRefused):
            await guarded.embed(["too long"])

        assert guarded.trouble is None
        assert (await guarded.embed(["short"])).shape == (1, 256)


async def test_an_embedder_that_refuses_all_does_not_open() -> None:
    class Refusing(ScriptedEmbedder):
        async def __aenter__(self) -> "Refusing":
            raise TextsRefused("no such model")

    async with GuardedEmbedder(Refusing()) as guarded:
        with pytest.raises(EmbeddingError):
            await guarded.open()
        assert guarded.trouble == "no such model"
