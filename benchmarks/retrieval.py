"""Finds the right actions among many, and times it: `python benchmarks/retrieval.py [TOOLS QUERIES]`.

TOOLS is JSON lines, gzip or plain, with id, source, name, service, description, params; QUERIES has id, source, query,
relevant. By default they are `tools.jsonl.gz` and `queries.jsonl` in the folder that BANKSMAN_RETRIEVAL_DATA names, or
in `../shared/bench/retrieval` beside the repository. Half of the queries, by a hash of their ids, fitted the ranking's
weights (dev); the other half did not (held out).

The timing runs against a larger catalog: the tools, and copies of them in invented systems, with a third of the words
of their names and descriptions replaced by invented ones. Frequent words stay as frequent as in the original, which
is what costs time; rare words get rarer company than in a real catalog of that size.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from banksman.catalog.search import Search, SearchDocument, build
from report import finish, table

REPOSITORY = Path(__file__).resolve().parent.parent
SYLLABLES = (
    "ba",
    "co",
    "di",
    "fu",
    "ga",
    "he",
    "ki",
    "lo",
    "ma",
    "ne",
    "pi",
    "qua",
    "ro",
    "su",
    "ta",
    "ve",
    "wi",
    "xo",
)


def main() -> None:
    options = arguments()
    tools, queries = read(options.tools), read(options.queries)
    documents = [document(tool) for tool in tools]
    with tempfile.TemporaryDirectory() as folder:
        catalog = Path(folder, "catalog.db")
        started = time.perf_counter()
        build(catalog, documents)
        print(f"{len(documents):,} actions indexed in {time.perf_counter() - started:.1f} s", end=", ")
        print(f"{catalog.stat().st_size / 1e6:.1f} MB")
        with Search(catalog) as search:
            found = [[hit.id for hit in search.find(query["query"], 10)] for query in queries]
        figures = quality(queries, found)
        large = Path(folder, "large.db")
        started = time.perf_counter()
        actions = build(large, grown(documents, options.actions))
        print(f"\n{actions:,} actions indexed in {time.perf_counter() - started:.1f} s", end=", ")
        print(f"{large.stat().st_size / 1e6:.1f} MB")
        figures |= {"actions": actions} | timing(large, queries)
    finish(figures)


def arguments() -> argparse.Namespace:
    default = Path(os.environ.get("BANKSMAN_RETRIEVAL_DATA", REPOSITORY.parent / "shared/bench/retrieval"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="?", type=Path, default=default / "tools.jsonl.gz")
    parser.add_argument("queries", nargs="?", type=Path, default=default / "queries.jsonl")
    parser.add_argument("--actions", type=int, default=170_000, help="size of the catalog that is timed")
    options = parser.parse_args()
    for path in (options.tools, options.queries):
        if not path.exists():
            sys.exit(f"{path} is not there; name TOOLS and QUERIES, or their folder in BANKSMAN_RETRIEVAL_DATA")
    return options


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def document(tool: dict[str, Any]) -> SearchDocument:
    return SearchDocument(
        id=tool["id"],
        system=tool["service"],
        name=tool["name"],
        description=tool["description"],
        arguments=tuple((name, "") for name in tool["params"].split()),
    )


def quality(queries: Sequence[dict[str, Any]], found: Sequence[Sequence[str]]) -> dict[str, float]:
    groups: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for query, ids in zip(queries, found, strict=True):
        half = "dev" if held_in(query["id"]) else "held out"
        for group in (query["source"], half, "all"):
            groups[group].append(measured(set(query["relevant"]), ids))
    means = {
        name: [100 * sum(column) / len(column) for column in zip(*rows, strict=True)] for name, rows in groups.items()
    }
    last = ("dev", "held out", "all")
    rows = [
        [name, len(groups[name]), *means[name]] for name in (*sorted(groups.keys() - set(last)), *last) if name in means
    ]
    table("Quality by source", ["source", "queries", "recall@5", "recall@10", "NDCG@10"], rows)
    figures: dict[str, float] = {}
    for name, suffix in (("all", ""), ("dev", "_dev"), ("held out", "_held_out")):
        if name in means:
            for key, value in zip(("recall_at_5", "recall_at_10", "ndcg_at_10"), means[name], strict=True):
                figures[key + suffix] = value
    return figures


def held_in(query: str) -> bool:
    return hashlib.sha256(f"split{query}".encode()).digest()[0] % 2 == 0


def measured(relevant: set[str], ids: Sequence[str]) -> tuple[float, float, float]:
    gained = sum(1 / math.log2(place + 2) for place, one in enumerate(ids[:10]) if one in relevant)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(relevant))))
    return len(relevant & set(ids[:5])) / len(relevant), len(relevant & set(ids[:10])) / len(relevant), gained / ideal


def grown(documents: Sequence[SearchDocument], actions: int) -> Iterator[SearchDocument]:
    yield from documents[:actions]
    chance = random.Random(7)
    for number in range(len(documents), actions):
        one = documents[number % len(documents)]
        generation = number // len(documents)
        yield replace(
            one,
            id=f"{one.id}#{generation}",
            system=f"{one.system} {generation}" if one.system else "",
            name=mutated(one.name, chance),
            description=mutated(one.description, chance),
        )


def mutated(text: str, chance: random.Random) -> str:
    words = [word if chance.random() > 1 / 3 else invented(chance) for word in text.split()]
    return " ".join(words) if len(words) > 1 else text + invented(chance).capitalize()


def invented(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=3))


def timing(catalog: Path, queries: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Processor time of single searches in one thread, each request once, in mixed order."""
    asked = [query["query"] for query in random.Random(7).sample(list(queries), min(1_000, len(queries)))]
    started = time.perf_counter()
    with Search(catalog) as search:
        opened = 1000 * (time.perf_counter() - started)
        for request in asked[:20]:
            search.find(request)
        spent = []
        for request in asked:
            before = time.process_time()
            search.find(request)
            spent.append(1000 * (time.process_time() - before))
    spent.sort()
    p50, p95 = spent[len(spent) // 2], spent[int(0.95 * len(spent))]
    table(
        "Time of one search, in ms of CPU",
        ["open", "p50", "p95", "longest"],
        [[opened, p50, p95, spent[-1]]],
    )
    return {"open_ms": opened, "p50_ms": p50, "p95_ms": p95}


if __name__ == "__main__":
    main()
