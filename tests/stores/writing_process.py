"""`python -m tests.stores.writing_process FILE append PREFIX | delete`: to be killed.

`append` prints the id of each exchange once the store has acknowledged it, for ever. `delete`
stores a long session, says so, and forgets it when a line comes in.
"""

import asyncio
import sys
from itertools import count

from memory_proxy.stores.sqlite import SQLiteStore
from tests.stores.exchanges import ANN, SESSION, exchange


async def append_for_ever(path: str, prefix: str) -> None:
    numbers = count()

    async def append(store: SQLiteStore) -> None:
        for number in numbers:
            await store.append(exchange(f"{prefix}-{number}", f"question {number}", "answer"))
            print(f"{prefix}-{number}", flush=True)  # noqa: T201 - read by the test

    async with SQLiteStore(path) as store, asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(append(store))


async def forget(path: str) -> None:
    async with SQLiteStore(path, capacity=9_999) as store:
        many = (exchange(f"e{n}", f"canary {n}", "answer") for n in range(2_000))
        await asyncio.gather(*map(store.append, many))
        print("stored", flush=True)  # noqa: T201 - read by the test
        sys.stdin.readline()
        await store.delete_session(ANN, SESSION)


if __name__ == "__main__":
    path, command, *rest = sys.argv[1:]
    asyncio.run(append_for_ever(path, *rest) if command == "append" else forget(path))
