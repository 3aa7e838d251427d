"""Files: checkpoints, records, and the tables that they are made of."""
