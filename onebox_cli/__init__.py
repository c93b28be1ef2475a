"""What ``./onebox`` does; needs only Python's standard library."""
