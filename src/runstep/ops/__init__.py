"""Ops: what each one is, on any device. One file per family; `table` imports them all."""
