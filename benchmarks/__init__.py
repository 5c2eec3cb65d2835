"""Measurements that a machine's noise would make useless as tests."""
