"""What Temporal keeps of a case's workflow, as people read it, and whether the ledger says the same."""
