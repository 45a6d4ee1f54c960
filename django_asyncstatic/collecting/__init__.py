"""From collected files to the index. Runs once per deploy."""
