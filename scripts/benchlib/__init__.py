"""The parts of scripts/bench: libraries to store, a server that counts, the tools to compare."""
