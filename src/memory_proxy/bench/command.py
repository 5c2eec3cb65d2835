"""`memory-proxy bench ...`: its arguments, and what each measurement prints."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memory_proxy.core.errors import ConfigurationError, EmbeddingError, StoreError

# Each measurement imports what it needs when it runs: `--help` needs none of it.
if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage]

_BUDGETS = "500,1000,2000,4000"


def add_bench(commands: "Commands") -> None:
    bench = commands.add_parser(
        "bench",
        help="measure the memory: what it finds, and what it costs",
        description="Measure the memory: what it finds, and what it costs.",
        epilog="docs/guides/testing/BENCHMARKS.md says what each figure means.",
        allow_abbrev=False,
    )
    kinds = bench.add_subparsers(dest="measurement", metavar="MEASUREMENT", required=True)
    _add_retrieval(kinds)
    _add_latency(kinds)
    _add_fit(kinds)


def run_bench(options: argparse.Namespace) -> str:
    """What to print. Raises ConfigurationError."""
    measure = {"retrieval": _retrieval, "latency": _latency, "fit": _fit}[options.measurement]
    try:
        return measure(options)
    except (StoreError, EmbeddingError) as error:
        raise _in_words(error) from error
    except ExceptionGroup as group:  # what went wrong inside a task group is wrapped by it
        known = group.subgroup((StoreError, EmbeddingError, ConfigurationError))
        if known is None:
            raise
        raise _in_words(_first(known)) from group


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _in_words(error: Exception) -> ConfigurationError:
    match error:
        case StoreError():
            return ConfigurationError(f"--store: {error}")
        case EmbeddingError():
            return ConfigurationError(f"--embedder: {error}")
        case _:
            return ConfigurationError(str(error))


def _add_retrieval(kinds: "Commands") -> None:
    retrieval = kinds.add_parser(
        "retrieval",
        help="how well recall finds what was said",
        description="How well recall finds what was said, on labelled conversations.",
        allow_abbrev=False,
    )
    retrieval.add_argument("files", nargs="+", type=Path, metavar="FILE", help="an owner each")
    retrieval.add_argument(
        "--budget",
        default=_BUDGETS,
        metavar="TOKENS",
        help=f"sizes of the injected block, by commas. Default: {_BUDGETS}.",
    )
    _add_common(retrieval)


def _add_latency(kinds: "Commands") -> None:
    latency = kinds.add_parser(
        "latency",
        help="what a recall costs in a memory of many messages",
        description="What a recall costs in a memory of many messages, which are invented.",
        allow_abbrev=False,
    )
    latency.add_argument(
        "--messages", type=int, default=10_000, metavar="COUNT", help="Default: 10000."
    )
    _add_common(latency)


def _add_fit(kinds: "Commands") -> None:
    fit = kinds.add_parser(
        "fit",
        help="learn the ranker's weights anew",
        description="Learn the ranker's weights from labelled conversations, and show how well"
        " each is served by what the others taught.",
        allow_abbrev=False,
    )
    fit.add_argument("files", nargs="+", type=Path, metavar="FILE", help="an owner each")
    fit.add_argument("--out", type=Path, metavar="FILE", help="write the weights there, as JSON")
    _add_embedder_and_json(fit)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--store", metavar="URL", help="where to keep it. Default: a SQLite file, thrown away."
    )
    _add_embedder_and_json(command)


def _add_embedder_and_json(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--embedder", default="auto", metavar="EMBEDDER", help="as in the settings. Default: auto."
    )
    command.add_argument("--json", action="store_true", help="the same as JSON")


def _retrieval(options: argparse.Namespace) -> str:
    from memory_proxy.bench.corpus import read_corpora
    from memory_proxy.bench.places import store_place
    from memory_proxy.bench.retrieval import measure_retrieval
    from memory_proxy.bench.tables import as_json, retrieval_text

    budgets = _numbers(options.budget)
    corpora = read_corpora(options.files)
    with store_place(options.store) as place:
        report = asyncio.run(
            measure_retrieval(corpora, place, embedder=options.embedder, budgets=budgets, say=_say)
        )
    return as_json(report) if options.json else retrieval_text(report)


def _latency(options: argparse.Namespace) -> str:
    from memory_proxy.bench.latency import measure_latency
    from memory_proxy.bench.places import store_place
    from memory_proxy.bench.tables import as_json, latency_text

    if options.messages < 1:
        raise ConfigurationError(f"--messages: {options.messages} must be at least 1")
    with store_place(options.store) as place:
        report = asyncio.run(
            measure_latency(options.messages, place, embedder=options.embedder, say=_say)
        )
    return as_json(report) if options.json else latency_text(report)


def _fit(options: argparse.Namespace) -> str:
    from memory_proxy.bench.corpus import read_corpora
    from memory_proxy.bench.fit import fit_weights, written_weights
    from memory_proxy.bench.tables import as_json, fit_text

    corpora = read_corpora(options.files)
    report = asyncio.run(fit_weights(corpora, options.embedder, say=_say))
    if options.out:
        _write(options.out, written_weights(report.weights))
    return as_json(report) if options.json else fit_text(report)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(f"--out: {path}: {error.strerror or error}") from error


def _numbers(text: str) -> Sequence[int]:
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise ConfigurationError(f"--budget: '{text}' must be numbers with commas") from error
    if numbers[0] < 1:
        raise ConfigurationError(f"--budget: {numbers[0]} must be at least 1")
    return numbers


def _say(line: str) -> None:
    """Progress goes to stderr: stdout is for the figures."""
    sys.stderr.write(f"{line}\n")
