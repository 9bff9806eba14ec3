"""How fast and how small: `python -m tests.bench [NAME …]`, which is `make bench`.

__main__.py  runs them, prints the table, writes bench-out/bench.json   card.py     from a card to the broker
figures.py   what a figure, its floor and its aim are                   memory.py   the door process at rest
bare.py      the floor of the walk: a process that does only the needful start.py    from nothing to the first card
relay.py     a TCP relay that notes when the broker answers              frames.py   plates in pictures
site.py      the house that is measured                                  keep.py, drain.py  the journal, in and out
plate.py     one look, against a known detector                          search.py   one face among 100,000

Rule: a bench measures and never asserts. Each figure has its floor measured beside it, turn by turn in the same run,
because machines are noisy: compare ratios, not milliseconds.
"""
