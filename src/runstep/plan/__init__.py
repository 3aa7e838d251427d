"""From a request (graph, feeds, fetches, targets) to a frozen plan. Pure: nothing here awaits, locks or runs a step."""
