"""Rehearsals: scenarios played in virtual time, and the verdict on every clause."""
