"""Attention of other libraries, measured the way sagejit bench measures: see tools/bench_peers.py."""
