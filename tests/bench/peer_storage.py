"""The storage of thingsboard-gateway alone, by the Python that has it: `peer_storage.py FOLDER COUNT THREADS FORM`.

COUNT events of 400 bytes go from THREADS threads into its SQLite storage, with its own settings: `text` that is JSON
already, or `objects` that each thread makes JSON of first, as its service does. Prints one JSON object: seconds until
all were put, which is into memory, and until all lay in its file, committed.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import simplejson  # type: ignore[import-untyped]
from thingsboard_gateway.storage.sqlite.sqlite_event_storage import (  # type: ignore[import-not-found]
    SQLiteEventStorage,
)

_FIELDS = {f"field_{number}": "x" * 18 for number in range(10)}  # a dozen short ones, as an event has
_SETTINGS = {"separators": (",", ":"), "skipkeys": True, "ignore_nan": True}  # those of its service


class _Logger(logging.Logger):
    """As its own: it also traces."""

    def trace(self, *words: object) -> None:
        pass


def main(folder: Path, count: int, threads: int, form: str) -> dict[str, float]:
    logger = _Logger("storage", logging.CRITICAL)
    storage = SQLiteEventStorage({"data_file_path": f"{folder}/"}, logger, threading.Event())
    objects = [{"number": number, "granted": True, "holder": None, **_FIELDS} for number in range(count)]
    texts = [simplejson.dumps(one, **_SETTINGS) for one in objects] if form == "text" else []

    def work(first: int) -> None:
        for text in texts[first::threads]:
            storage.put(text)
        for one in () if texts else objects[first::threads]:
            storage.put(simplejson.dumps(one, **_SETTINGS))

    workers = [threading.Thread(target=work, args=(first,)) for first in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    put = time.perf_counter() - began
    with closing(sqlite3.connect(f"file:{folder}/data.db?mode=ro", uri=True)) as reader:
        while reader.execute("SELECT max(id) FROM messages").fetchone()[0] != count:
            time.sleep(0.002)
    kept = time.perf_counter() - began
    storage.stop()
    return {"put": put, "kept": kept}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])), flush=True)
