"""What recall finds in the project's own conversations, by words alone.

`python -m tests.bench.record` measures it anew and writes `baseline.json`, which the tests compare
with: only a change that is meant to change it does that.
"""

import asyncio
import json
from pathlib import Path
from typing import Final

from memory_proxy.bench.corpus import read_corpora
from memory_proxy.bench.places import store_place
from memory_proxy.bench.retrieval import RetrievalReport, measure_retrieval

BASELINE: Final = Path(__file__).with_name("baseline.json")
FILES: Final = sorted((Path(__file__).parents[1] / "data" / "conversations").glob("*.jsonl"))
STORES: Final = ("memory", "sqlite")

Found = dict[str, float]
"""By collection: t_R@10, of 100."""


async def measure(store: str) -> RetrievalReport:
    """`store` sqlite: a file that is thrown away."""
    with store_place("memory://" if store == "memory" else None) as place:
        return await measure_retrieval(read_corpora(FILES), place)


def found(report: RetrievalReport) -> Found:
    return {each.name: round(each.figures["t_R@10"].value * 100, 2) for each in report.collections}


def main() -> None:
    record = {store: found(asyncio.run(measure(store))) for store in STORES}
    BASELINE.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
