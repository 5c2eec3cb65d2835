"""Figures as a table for people and as JSON for programs."""

from collections.abc import Mapping, Sequence

import msgspec

from memory_proxy.bench.figures import Figure
from memory_proxy.bench.fit import FitReport, Fold
from memory_proxy.bench.latency import LatencyReport
from memory_proxy.bench.retrieval import RetrievalReport
from memory_proxy.bench.summary import Summary

_NOTHING = "-"

_COUNTED = "t_R@10"
_OF_A_TYPE = ("t_R@1", "t_R@10", "NDCG@10", "s_any@5", "evidence@2000")

_COSTS = {
    "first_recall_cpu_ms": "the first recall, which makes the index, CPU ms",
    "recall_cpu_p50_ms": "a recall, CPU ms, p50",
    "recall_cpu_p99_ms": "  p99",
    "recall_wall_p50_ms": "a recall, ms on the clock, p50",
    "recall_wall_p99_ms": "  p99",
    "loop_wait_p50_ms": "the event loop comes round too late by, ms, p50",
    "loop_wait_p99_ms": "  p99",
    "longest_loop_wait_ms": "  at worst",
    "on_request_cpu_p50_ms": "a message on the request path, CPU ms, p50",
    "on_request_cpu_p99_ms": "  p99",
    "stored_cpu_p50_ms": "a message stored and indexed, CPU ms, p50",
    "stored_cpu_p99_ms": "  p99",
    "stored_wall_ms": "a message stored and indexed, ms on the clock",
    "rss_mb": "memory of this process, MB",
    "mb_per_1000": "disk for 1,000 messages, MB",
}


def as_json(report: RetrievalReport | LatencyReport | FitReport) -> str:
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def latency_text(report: LatencyReport) -> str:
    title = f"{report.messages} messages in {report.store}, {_by(report.embedder)}"
    return f"{title}\n{aligned(_cost_rows(report.figures))}"


def fit_text(report: FitReport) -> str:
    blocks = [("By words", report.by_words), ("With vectors", report.with_vectors)]
    return "\n\n".join(
        f"{title}, each owner by what the others taught, of 100\n{aligned(_fold_rows(folds))}"
        for title, folds in blocks
        if folds
    )


def retrieval_text(report: RetrievalReport) -> str:
    sections = [
        ("What is found, of 100", _ranking_rows(report)),
        ("Evidence in a block of so many tokens, and the gate, of 100", _block_rows(report)),
        *((f"{each.name} by type, of 100", _type_rows(each)) for each in report.collections),
        (f"Costs with {report.store}, {_by(report.embedder)}", _cost_rows(report.cost)),
    ]
    blocks = [f"{title}\n{aligned(rows)}" for title, rows in sections]
    return "\n\n".join([*blocks, _remarks(report)])


def _ranking_rows(report: RetrievalReport) -> list[list[str]]:
    """Files, then collections, each of these with its intervals below."""
    names = [name for name in report.collections[0].figures if "@" not in name or _is_rank(name)]
    rows = [["", "questions", *names]]
    rows += [_row(each.name, each.figures, names) for each in report.files]
    for each in report.collections:
        rows.append(_row(f"all of {each.name}", each.figures, names))
        rows.append(["  95 % interval", "", *(_interval(each.figures.get(name)) for name in names)])
    return rows


def _block_rows(report: RetrievalReport) -> list[list[str]]:
    names = [name for name in _all_names(report) if "@" in name and not _is_rank(name)]
    gates = list(dict.fromkeys(name for each in report.collections for name in each.gate))
    rows = [["", *names, *(name.replace("_", " ") for name in gates)]]
    for each in (*report.files, *report.collections):
        cells = [_percent(each.figures.get(name)) for name in names]
        rows.append([each.name, *cells, *(_hundredths(each.gate.get(name)) for name in gates)])
    return rows


def _type_rows(summary: Summary) -> list[list[str]]:
    names = [name for name in summary.figures if name in _OF_A_TYPE]
    rows = [["", "questions", *names]]
    return rows + [_row(name, figures, names) for name, figures in summary.by_type.items()]


def _fold_rows(folds: Sequence[Fold]) -> list[list[str]]:
    names = list(folds[0].t_recall)
    rows = [["", "questions", *names, "kept", "rejected"]]
    for fold in folds:
        questions = str(fold.kept.count if fold.kept else 0)
        figures = (*fold.t_recall.values(), fold.kept, fold.rejected)
        rows.append([fold.name, questions, *(_percent(figure) for figure in figures)])
    return rows


def _by(embedder: str | None) -> str:
    name = (embedder or "").partition(":")[0]  # what follows is the version
    return f"with vectors by {name}" if name else "by words"


def _cost_rows(cost: Mapping[str, float | None]) -> list[list[str]]:
    return [[_COSTS[name], _number(value)] for name, value in cost.items()]


def _remarks(report: RetrievalReport) -> str:
    return (
        f"{_NOTHING}: there is no such question, or the owner has no more than k sessions, and any"
        f" answer would be right\nTurns of another owner that were returned: {report.foreign_turns}"
    )


def _all_names(report: RetrievalReport) -> list[str]:
    return list(dict.fromkeys(name for each in report.collections for name in each.figures))


def _is_rank(name: str) -> bool:
    return name.startswith(("t_", "s_", "NDCG"))


def _row(title: str, figures: Mapping[str, Figure], names: Sequence[str]) -> list[str]:
    questions = figures[_COUNTED].count
    return [title, str(questions), *(_percent(figures.get(name)) for name in names)]


def _percent(figure: Figure | None) -> str:
    return _hundredths(figure.value if figure else None)


def _hundredths(value: float | None) -> str:
    return _NOTHING if value is None else f"{value * 100:.1f}"


def _interval(figure: Figure | None) -> str:
    return f"{figure.low * 100:.0f}-{figure.high * 100:.0f}" if figure else _NOTHING


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of one width each; the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
