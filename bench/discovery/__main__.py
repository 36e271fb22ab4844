"""`make bench-discovery`: how well agents are found, and with `--growth` what a search costs as they become many."""

import argparse
from collections.abc import Callable, Mapping, Sequence

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from ainp.adapters.embeddings import Embedder
from ainp.adapters.embeddings_local import LocalModel
from ainp.adapters.embeddings_sentences import SentenceModel
from bench.discovery import dataset, growth, lexical
from bench.discovery.dataset import Half, Kind
from bench.discovery.measures import mean_reciprocal_rank, recall_at
from bench.discovery.ours import Meaning

MODELS: Mapping[str, Embedder] = {"local": LocalModel(), "sentences": SentenceModel()}
_KINDS = {"direct": Kind.DIRECT, "paraphrase": Kind.PARAPHRASE, "mixed": None}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="make bench-discovery", description=__doc__)
    parser.add_argument("--half", type=Half, default=Half.TUNING, help="tuning (default), or test for publication")
    parser.add_argument("--model", choices=MODELS, default="local", help="what makes vectors: local or sentences")
    parser.add_argument("--growth", default="", help="numbers of agents, such as 1000,10000,100000")
    options = parser.parse_args()
    console = Console()
    _quality(console, options.half, MODELS[options.model])
    if options.growth:
        growth.report(console, [int(size) for size in options.growth.split(",")])


def _quality(console: Console, half: Half, model: Embedder) -> None:
    agents = dataset.agents()
    meaning = Meaning(agents, model)
    rankings: Mapping[str, Callable[[str], Sequence[str]]] = {
        "lexical only": lambda query: lexical.rank(query, agents),
        "vector only": meaning.by_vector,
        "ours": meaning.ours,
    }
    title = f"{model.name}, {half} half, {len(agents)} agents: recall@1, recall@5, mean reciprocal rank"
    table = Table("ranking", *_KINDS, box=MARKDOWN, title=title)
    for name, ranking in rankings.items():
        table.add_row(name, *(_measured(ranking, half, kind) for kind in _KINDS.values()))
    console.print(table)


def _measured(ranking: Callable[[str], Sequence[str]], half: Half, kind: Kind | None) -> str:
    asked = dataset.queries(half, kind)
    found = {query.id: ranking(query.text) for query in asked}
    right = {query.id: query.right for query in asked}
    measured = recall_at(1, found, right), recall_at(5, found, right), mean_reciprocal_rank(found, right)
    return ", ".join(f"{value:.2f}" for value in measured)


if __name__ == "__main__":
    main()
