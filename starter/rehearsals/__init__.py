"""Rehearsals: scenarios run in virtual time, and the verdict on every clause."""
