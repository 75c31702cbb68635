"""What pages show, held against the ledger: every fact about performance that a table keeps, an entry says as well.

The tables are what the engine runs by and what people are shown; the ledger is what can be proved. Somebody who can
write a table but not the ledger could let a page say what never was. So entries are gone through once, in order, and
what each says of a row is kept on disk (``scratch``, ``saying``); then every row is compared with what was said of it
last (``rules``, ``comparing``), and the first that disagrees is named in words.

What entries say is followed, and never computed again: no rule knows a clause, a date's arithmetic or a kind of case.
"""
