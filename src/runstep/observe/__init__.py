"""Seeing what runs: timelines of steps, traces of many steps, live statistics, reports of what is stuck."""
