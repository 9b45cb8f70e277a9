"""Processes: signals and exit codes, the watch for a parent that died, the process pool, Dask's workers."""
